//! The program `waveoff`.

fn main() -> std::process::ExitCode {
    use waveoff::commands::{WAVEOFF, main_of_many};
    main_of_many("waveoff", "Deploy releases, verify them, and take bad ones back", WAVEOFF)
}
