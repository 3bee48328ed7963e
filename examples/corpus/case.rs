//! A run before it is trained: its flags, the files that it needs, and what is true of it by
//! construction.

use std::fmt::Display;

use crate::draw::Draw;

/// One kind of run.
pub struct Kind {
    pub name: &'static str,
    /// Why its label is true, in a few words.
    pub about: &'static str,
    /// Takes several seconds: left out of the quick subset.
    pub long: bool,
    pub make: fn(&mut Draw) -> Case,
}

/// A kind that trains in about a second.
pub const fn kind(name: &'static str, about: &'static str, make: fn(&mut Draw) -> Case) -> Kind {
    Kind { name, about, long: false, make }
}

/// A kind that takes longer.
pub const fn long(name: &'static str, about: &'static str, make: fn(&mut Draw) -> Case) -> Kind {
    Kind { name, about, long: true, make }
}

/// What is true of a run.
#[derive(Clone, Debug)]
pub enum Label {
    Healthy,
    Fault(Fault),
}

/// What is wrong with a run.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Rules that may be its root; the first is the usual one.
    pub roots: &'static [&'static str],
    /// Rules that may be the root of a second fault, independent of the first; empty where there is none.
    pub second: &'static [&'static str],
    /// Rules that also show it, without being its cause.
    pub signs: &'static [&'static str],
    /// Layers of which the root may speak; empty where the fault is not one of a layer.
    pub layers: Vec<String>,
    /// Epoch from which it is there.
    pub onset: u64,
    /// Flags that undo it and nothing else; none where no flag does.
    pub undone: Vec<(&'static str, String)>,
}

/// A run that is still to be trained.
#[derive(Clone)]
pub struct Case {
    flags: Vec<(String, String)>,
    /// A model file, in place of a name.
    pub model: Option<String>,
    /// A csv with the target `y`, in place of generated data.
    pub table: Option<String>,
    pub label: Label,
}

impl Case {
    /// A healthy run of a model.
    pub fn of(model: &str) -> Self {
        Self { flags: Vec::new(), model: None, table: None, label: Label::Healthy }.with("model", model)
    }

    /// A healthy run of a model file.
    pub fn of_file(text: String) -> Self {
        Self { flags: Vec::new(), model: Some(text), table: None, label: Label::Healthy }
    }

    /// With a flag, in place of what it was.
    pub fn with(mut self, flag: &str, value: impl Display) -> Self {
        self.flags.retain(|(name, _)| name != flag);
        self.flags.push((flag.into(), value.to_string()));
        self
    }

    /// With an optimizer and its learning rate.
    pub fn step(self, optimizer: &str, lr: f64) -> Self {
        self.with("optimizer", optimizer).with("lr", lr)
    }

    /// With a table for regression.
    pub fn regression(mut self, table: String) -> Self {
        self.table = Some(table);
        self.with("target", "y").with("task", "regression")
    }

    /// With a table of two classes.
    pub fn classes(mut self, table: String) -> Self {
        self.table = Some(table);
        self.with("target", "y").with("task", "classification")
    }

    /// Faulty from the start, with these roots, and these signs beside them.
    pub fn fault(mut self, roots: &'static [&'static str], signs: &'static [&'static str]) -> Self {
        self.label = Label::Fault(Fault {
            roots,
            second: &[],
            signs,
            layers: Vec::new(),
            onset: 0,
            undone: Vec::new(),
        });
        self
    }

    /// With a second fault, of which these may be the root.
    pub fn and(mut self, roots: &'static [&'static str]) -> Self {
        if let Label::Fault(fault) = &mut self.label {
            fault.second = roots;
        }
        self
    }

    /// With the flags that undo the fault and nothing else.
    pub fn undone_by<V: Display>(mut self, flag: &'static str, value: V) -> Self {
        if let Label::Fault(fault) = &mut self.label {
            fault.undone.push((flag, value.to_string()));
        }
        self
    }

    /// The same run without its fault, where flags can undo it.
    pub fn twin(&self) -> Option<Self> {
        let Label::Fault(fault) = &self.label else { return None };
        let twin = fault.undone.iter().fold(self.clone(), |case, (flag, value)| case.with(flag, value));
        (!fault.undone.is_empty()).then_some(twin)
    }

    /// With so many times the epochs.
    pub fn longer(self, times: u64) -> Self {
        let epochs =
            self.flags.iter().find(|(name, _)| name == "epochs").and_then(|(_, n)| n.parse::<u64>().ok());
        match epochs {
            Some(epochs) => self.with("epochs", epochs * times),
            None => self,
        }
    }

    /// With the layers of which the root may speak.
    pub fn at(mut self, names: &[String]) -> Self {
        if let Label::Fault(fault) = &mut self.label {
            fault.layers = names.to_vec();
        }
        self
    }

    /// The words after `gradscope`; `id` names the run's files.
    pub fn words(&self, id: &str) -> Vec<String> {
        let mut words = vec!["run".to_string()];
        if self.model.is_some() {
            words.extend(["--model".into(), format!("files/{id}.toml")]);
        }
        if self.table.is_some() {
            words.extend(["--data".into(), format!("csv:files/{id}.csv")]);
        }
        for (flag, value) in &self.flags {
            words.push(format!("--{flag}"));
            // A flag that takes no value.
            if !value.is_empty() {
                words.push(value.clone());
            }
        }
        words
    }
}
