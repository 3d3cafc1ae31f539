//! The program `evaluate-rollback`.

fn main() -> std::process::ExitCode {
    waveoff::commands::main_of(waveoff::commands::entry::<
        waveoff::commands::evaluate_rollback::EvaluateRollback,
    >())
}
