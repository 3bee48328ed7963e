//! `gradscope export`: a record for other tools.

use crate::cli::args::ExportArgs;
use crate::cli::input::source;
use crate::cli::output;
use crate::cli::output::exit;
use crate::record::Record;
use crate::report::{OutputDir, tensorboard};

/// Writes the event file and says where it is.
pub fn run(args: &ExportArgs) -> anyhow::Result<u8> {
    // Other runs' files may stand beside it: TensorBoard reads them all.
    let directory = OutputDir::check(&args.tensorboard, true)?;
    let path = source::path(&args.record);
    let (record, warnings) = Record::read(&path)?;
    for warning in warnings {
        output::note(&format!("{}: {warning}", path.display()));
    }
    tensorboard::write(&directory, &record)?;
    output::print(&format!("{}\n", args.tensorboard.join(tensorboard::FILE_NAME).display()))?;
    Ok(exit::DONE)
}
