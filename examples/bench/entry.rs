//! How a measuring program begins and ends.

use std::process::ExitCode;

/// What stops a measurement: it is shown, and nothing is claimed.
pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Reads the options, measures, and tells whether all that was measured is within its budget: 0, else 1,
/// and 2 for options that are wrong.
pub(crate) fn run<O>(
    usage: &str,
    options: Result<Option<O>, impl std::fmt::Display>,
    measure: impl FnOnce(&O) -> Result<bool, Problem>,
) -> ExitCode {
    let options = match options {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{usage}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("bench: {problem}\n\n{usage}");
            return ExitCode::from(2);
        }
    };
    match measure(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}
