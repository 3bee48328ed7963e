//! Runs as child processes, so many at a time.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gradscope::cli::output::exit;
use gradscope::record::Outcome;
use gradscope::report::{OutputDir, SUMMARY_FILE};

use crate::input::config_file;
use crate::signals::Signals;

/// How often it is looked whether a run has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// A run that was started, or waited for.
pub struct Attempt {
    /// How it ended.
    pub ended: Ended,
    /// How long that took.
    pub seconds: f64,
}

/// How a process ended.
pub enum Ended {
    /// With whatever it came to written.
    Written,
    /// With an error, which is this sentence.
    Failed(String),
}

/// Processes at work.
pub struct Pool<'a> {
    signals: &'a Signals,
    jobs: usize,
    threads: Option<u64>,
}

/// One of the places for a run.
struct Slot {
    index: usize,
    since: Instant,
    state: State,
}

enum State {
    /// Another process is training it: one whose sweep was killed, say.
    Waiting,
    Running {
        child: Child,
        stderr: File,
    },
    Ended(Ended),
}

/// The runs that a pool is to do, by number.
pub trait Tasks {
    /// The directory of a run, and its command line without the program.
    fn task(&self, index: usize) -> (PathBuf, Vec<OsString>);
    /// Whether it needs no training any more.
    fn is_done(&self, index: usize) -> bool;
    /// Hears that another process is training it.
    fn waiting(&self, index: usize);
}

impl<'a> Pool<'a> {
    /// With this many runs at a time, each told to use so many threads.
    pub fn new(signals: &'a Signals, jobs: usize, threads: Option<u64>) -> Self {
        Self { signals, jobs, threads }
    }

    /// Does all of these in order, and returns when the last has ended. A signal is passed on to what
    /// is running, and nothing more is started.
    pub fn work(&self, todo: Vec<usize>, tasks: &dyn Tasks, mut ended: impl FnMut(usize, Attempt)) {
        let mut queue = VecDeque::from(todo);
        let mut slots: Vec<Slot> = Vec::new();
        let mut told = false;
        while !slots.is_empty() || !queue.is_empty() {
            if let Some(why) = self.signals.asked() {
                queue.clear();
                slots.retain(|slot| matches!(slot.state, State::Running { .. }));
                if !std::mem::replace(&mut told, true) {
                    slots.iter_mut().for_each(|slot| slot.tell(why));
                }
            }
            while slots.len() < self.jobs
                && let Some(index) = queue.pop_front()
            {
                let state = self.start(index, tasks);
                if matches!(state, State::Waiting) {
                    tasks.waiting(index);
                }
                slots.push(Slot { index, since: Instant::now(), state });
            }
            for slot in &mut slots {
                match &mut slot.state {
                    State::Waiting => slot.state = self.start(slot.index, tasks),
                    State::Running { child, stderr } => match child.try_wait() {
                        // A signal may reach it before it listens: that is no fault of the run.
                        Ok(Some(status)) if told && status.code().is_none() => {
                            slot.state = State::Ended(Ended::Written);
                        }
                        Ok(Some(status)) => slot.state = State::Ended(said(status, stderr)),
                        Ok(None) => {}
                        Err(error) => slot.state = State::Ended(Ended::Failed(error.to_string())),
                    },
                    State::Ended(_) => {}
                }
            }
            let still = slots.into_iter().filter_map(|slot| match slot.state {
                State::Ended(how) => {
                    ended(slot.index, Attempt { ended: how, seconds: slot.since.elapsed().as_secs_f64() });
                    None
                }
                _ => Some(slot),
            });
            slots = still.collect();
            std::thread::sleep(PAUSE);
        }
    }

    /// Starts a run in its directory, unless another process is at work there or has done it.
    fn start(&self, index: usize, tasks: &dyn Tasks) -> State {
        let (directory, words) = tasks.task(index);
        let begin = || {
            fs::create_dir_all(&directory)?;
            let Some(lock) = lock(&directory) else { return Ok(State::Waiting) };
            if tasks.is_done(index) {
                return Ok(State::Ended(Ended::Written));
            }
            // Files of a stranger are not for this process to remove.
            if let Err(error) = OutputDir::check(&directory, false) {
                return Ok(State::Ended(Ended::Failed(error.to_string())));
            }
            // A report of an earlier run would pass for this one's, if this one does not come to its end.
            let _ = fs::remove_file(directory.join(SUMMARY_FILE));
            let stderr = tempfile::tempfile()?;
            let mut command = Command::new(std::env::current_exe()?);
            command.args(words).stdout(Stdio::null()).stderr(stderr.try_clone()?);
            // Its words hold what gradscope.toml says, and leave out what the grid switches off.
            command.env(config_file::VARIABLE, "");
            // The child holds the lock as its standard input, which it never reads: for as long as it
            // lives, even if this process is killed, nobody else trains in its directory.
            command.stdin(lock.map_or_else(Stdio::null, Stdio::from));
            if let Some(threads) = self.threads {
                command.env("OMP_NUM_THREADS", threads.to_string());
            }
            // Out of reach of a terminal's Ctrl-C, which is passed on once: a second would end it at
            // once, with nothing written.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            Ok(State::Running { child: command.spawn()?, stderr })
        };
        begin().unwrap_or_else(|error: io::Error| {
            let place = directory.display();
            State::Ended(Ended::Failed(format!("cannot start it in {place}: {error}")))
        })
    }
}

impl Slot {
    /// Passes a signal on.
    fn tell(&mut self, why: Outcome) {
        let State::Running { child, .. } = &mut self.state else { return };
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process};
            let signal = if why == Outcome::Terminated { Signal::TERM } else { Signal::INT };
            // It may have ended just now.
            let _ = kill_process(Pid::from_child(child), signal);
        }
        #[cfg(not(unix))]
        let _ = (why, child.kill());
    }
}

/// Holds a directory for as long as the file is open; `None` where another process does. Not every file
/// system has locks: there, nobody else is assumed.
pub fn lock(directory: &Path) -> Option<Option<File>> {
    let Ok(file) = File::open(directory) else { return Some(None) };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        Ok(()) | Err(TryLockError::Error(_)) => Some(Some(file)),
    }
}

/// Judges the end of a process: its report is there, or it said why not.
fn said(status: ExitStatus, stderr: &mut File) -> Ended {
    let written = [exit::DONE, exit::FINDING, exit::INTERRUPTED, exit::TERMINATED].map(i32::from);
    if status.code().is_some_and(|code| written.contains(&code)) {
        return Ended::Written;
    }
    let mut text = Vec::new();
    // Without its words there is still the status.
    let _ = stderr.rewind().and_then(|()| stderr.read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let error = text.lines().rev().find_map(|line| line.strip_prefix("error: "));
    Ended::Failed(error.map_or_else(|| format!("it ended with {status}"), str::to_owned))
}
