//! `gradscope completions` and `gradscope man`: what shells and `man` read, made from the flags themselves.

use anyhow::bail;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::output;
use crate::cli::output::exit;
use crate::text::similar;

/// Prints a script for a shell.
pub fn completions(shell: Shell) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gradscope", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(exit::DONE)
}

/// Prints the page of gradscope, or of one of its commands, as roff.
pub fn man(command: Option<&str>) -> anyhow::Result<u8> {
    let mut all = Cli::command();
    // Gives the commands their whole names, and the flags that all have.
    all.build();
    let page = match command {
        None => all,
        Some(name) => match all.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                let names: Vec<&str> = all.get_subcommands().map(|c| c.get_name()).collect();
                let near =
                    similar(name, names.iter().copied()).first().map(|n| format!(" (did you mean {n}?)"));
                bail!(
                    "there is no command {name:?}{}; there are {}",
                    near.unwrap_or_default(),
                    names.join(", ")
                );
            }
        },
    };
    let mut roff = Vec::new();
    Man::new(page).render(&mut roff)?;
    output::print(&String::from_utf8_lossy(&roff))?;
    Ok(exit::DONE)
}
