//! The vendor of a machine, according to its firmware (SMBIOS, which Linux shows in `/sys/class/dmi/id`). It is available
//! even if no packet gets out, or if access to the metadata service is blocked.

use std::path::Path;

use crate::file;

/// The asset tag that Azure gives the chassis of each VM; cloud-init recognises Azure by it
/// (<https://cloudinit.readthedocs.io/en/latest/reference/datasources/azure.html>).
const AZURE_CHASSIS: &str = "7783-7084-3265-9085-8269-3286-77";
/// Who makes Azure's VMs; but also every other VM of Hyper-V, and Surface.
const MICROSOFT: &str = "Microsoft Corporation";
/// A longer file is none of the kernel's, in bytes.
const MAX_SIZE: usize = 4096;

/// Who runs this machine, by its firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Firmware {
    /// A VM of Azure's.
    Azure,
    /// A machine of this vendor.
    Other(String),
    /// It may or may not be an Azure VM: the firmware names no vendor, or Microsoft without Azure's tag.
    Unknown,
}

impl Firmware {
    /// That of this machine.
    pub(super) fn of_this_machine() -> Self {
        let read = |name: &str| {
            let bytes = file::read(&Path::new("/sys/class/dmi/id").join(name), MAX_SIZE).ok()?;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        Self::of(read("chassis_asset_tag").as_deref(), read("sys_vendor").as_deref())
    }

    fn of(chassis: Option<&str>, vendor: Option<&str>) -> Self {
        match (chassis, vendor) {
            (Some(AZURE_CHASSIS), _) => Self::Azure,
            (_, Some(vendor)) if is_name(vendor) && vendor != MICROSOFT => Self::Other(vendor.to_owned()),
            _ => Self::Unknown,
        }
    }
}

/// Whether it names a vendor at all: boards without one say so, or leave the makers' own words in.
fn is_name(vendor: &str) -> bool {
    const FILLERS: [&str; 5] = [
        "",
        "to be filled by o.e.m.",
        "default string",
        "system manufacturer",
        "not specified",
    ];
    !FILLERS.contains(&vendor.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chassis_tag_or_other_vendor_decides_whether_azure() {
        for (chassis, vendor, firmware) in [
            (Some(AZURE_CHASSIS), Some(MICROSOFT), Firmware::Azure),
            (Some(AZURE_CHASSIS), None, Firmware::Azure),
            (Some("1234"), Some(MICROSOFT), Firmware::Unknown),
            (None, Some(MICROSOFT), Firmware::Unknown),
            (None, None, Firmware::Unknown),
            (None, Some(""), Firmware::Unknown),
            (None, Some("To Be Filled By O.E.M."), Firmware::Unknown),
            (Some(""), Some("QEMU"), Firmware::Other("QEMU".into())),
            (None, Some("VMware, Inc."), Firmware::Other("VMware, Inc.".into())),
        ] {
            assert_eq!(Firmware::of(chassis, vendor), firmware, "{chassis:?} {vendor:?}");
        }
    }
}
