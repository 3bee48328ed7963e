//! `gradscope export`: a record for other tools.

use gradscope::record::Record;
use gradscope::report::{OutputDir, tensorboard};

use super::args::ExportArgs;
use super::{exit, output, source};

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
