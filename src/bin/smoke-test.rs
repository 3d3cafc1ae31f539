//! The program `smoke-test`.

fn main() -> std::process::ExitCode {
    waveoff::commands::main_of(
        waveoff::commands::entry::<waveoff::commands::smoke_test::SmokeTest>(),
    )
}
