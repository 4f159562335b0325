//! The VM's own files, store and limits, as a program on it sees them.

use anyhow::{Context, Result, ensure};
use apim_probe_lab::Lab;

use super::{LabTest, test};

/// The output of a shell on the VM.
fn shell(lab: &Lab, script: &str) -> Result<String> {
    let output = lab
        .agent("sh")?
        .args(["-c", script])
        .output()
        .context("starting a shell")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) const TESTS: &[LabTest] = &[
    test("vm::programs_have_no_capability", "{}", |lab| {
        let status = shell(lab, "grep Cap /proc/self/status")?;
        for set in ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"] {
            ensure!(
                status
                    .lines()
                    .any(|line| line.starts_with(set) && line.ends_with("\t0000000000000000")),
                "{status}"
            );
        }
        Ok(())
    }),
    test(
        "vm::has_its_own_resolv_conf_and_hosts_file",
        "vm: { hosts_file: '20.0.0.9 pinned.example' }",
        |lab| {
            ensure!(shell(lab, "cat /etc/resolv.conf")? == "nameserver 168.63.129.16\n");
            ensure!(shell(lab, "cat /etc/hosts")?.contains("20.0.0.9 pinned.example"));
            Ok(())
        },
    ),
    test(
        "vm::resolv_conf_lists_servers_unless_excluded",
        "name_servers: [ { address: 10.2.0.10 }, { address: 10.2.0.11 }, { not_in_resolv_conf: true } ]",
        |lab| {
            ensure!(shell(lab, "cat /etc/resolv.conf")? == "nameserver 10.2.0.10\nnameserver 10.2.0.11\n");
            Ok(())
        },
    ),
    test(
        "vm::certificate_store_has_the_added_ca",
        "vm: { trusted_cas: [inspection] }",
        |lab| {
            let count = shell(lab, "grep -c BEGIN.CERTIFICATE $SSL_CERT_FILE")?;
            ensure!(count == "2\n", "{count}");
            Ok(())
        },
    ),
    test(
        "vm::descriptor_limit_and_environment_are_set",
        "vm: { max_descriptors: 20, env: { HTTPS_PROXY: 'http://p:1' } }",
        |lab| {
            ensure!(shell(lab, "ulimit -n; echo $HTTPS_PROXY")? == "20\nhttp://p:1\n");
            Ok(())
        },
    ),
];
