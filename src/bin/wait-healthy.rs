//! The program `wait-healthy`.

fn main() -> std::process::ExitCode {
    waveoff::commands::main_of(waveoff::commands::entry::<
        waveoff::commands::wait_healthy::WaitHealthy,
    >())
}
