//! `tryout`: runs experiment files, and looks at runs. One verb a file.
//!
//! | exit code | what it says |
//! |---|---|
//! | 0 | done |
//! | 1 | it couldn't go on |
//! | 2 | what was given can't work |
//! | 3 | it came to its end, and some trials failed |
//! | 4 | a limit or a stop rule ended it |
//! | 130 | Ctrl-C or `tryout stop` ended it; it can be gone on with |

#[cfg(target_os = "linux")]
mod verbs;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    verbs::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("error: `tryout` runs trials in processes, which it can on Linux only");
    std::process::exit(2);
}
