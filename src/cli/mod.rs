//! Arguments in, exit status out: the only place with a dynamic error.
mod args;
mod exit;
mod output;
mod resolve;
mod signals;

use clap::Parser;
use gradscope::record::*;

struct W(Writer);
impl gradscope::train::Observer for W {
    fn observe(&mut self, line: Line) -> Result<(), RecordError> {
        self.0.write(&line)
    }
}

pub fn main() -> std::process::ExitCode {
    let cli = args::Cli::parse();
    if let args::Command::Run(run) = cli.command {
        let config = resolve::config(&run, args::reproducible(std::env::args_os())).unwrap();
        let mut w = W(Writer::create(&run.output.out.unwrap()).unwrap());
        let s = signals::Signals::listen().unwrap();
        gradscope::train::train(&config, &mut w, &|| s.asked()).unwrap();
    }
    std::process::ExitCode::SUCCESS
}
