//! Arguments, settings, then one of the commands. What goes wrong is said in one sentence: exit code 2
//! for a wrong setting, 1 for everything else.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use ordo::config::ConfigError;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = done.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(cli::run(arguments)));
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ordo: {error:#}");
            ExitCode::from(if error.is::<ConfigError>() { 2 } else { 1 })
        }
    }
}
