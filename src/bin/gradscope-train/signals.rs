//! SIGINT and SIGTERM: the first stops the run at its next step, with everything written; the second
//! ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gradscope::cli::output::exit;
use gradscope::record::Outcome;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// The signals that have arrived so far.
pub struct Signals {
    interrupt: Arc<AtomicBool>,
    terminate: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        let signals = Self { interrupt: Arc::default(), terminate: Arc::default() };
        let any = Arc::new(AtomicBool::new(false));
        for (signal, status, flag) in
            [(SIGINT, exit::INTERRUPTED, &signals.interrupt), (SIGTERM, exit::TERMINATED, &signals.terminate)]
        {
            // Handlers run in this order: the first of either kind only sets the flags.
            flag::register_conditional_shutdown(signal, i32::from(status), Arc::clone(&any))?;
            flag::register(signal, Arc::clone(flag))?;
            flag::register(signal, Arc::clone(&any))?;
        }
        // A file that reaches the limit of its size is an error to report, not a reason to be killed.
        flag::register(SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// Why to stop, if asked to.
    pub fn asked(&self) -> Option<Outcome> {
        if self.terminate.load(Ordering::Relaxed) {
            Some(Outcome::Terminated)
        } else if self.interrupt.load(Ordering::Relaxed) {
            Some(Outcome::Interrupted)
        } else {
            None
        }
    }
}
