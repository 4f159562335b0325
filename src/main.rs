//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    apim_probe::main(std::env::args_os())
}
