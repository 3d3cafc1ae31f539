//! The program `notify-incident`.

fn main() -> std::process::ExitCode {
    waveoff::commands::main_of(waveoff::commands::entry::<
        waveoff::commands::notify_incident::NotifyIncident,
    >())
}
