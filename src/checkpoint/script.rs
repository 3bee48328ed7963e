//! TorchScript archives: a program with its parameters, which is trained rather than inspected. What its
//! modules are is read from the declarations of their classes, as text; nothing is run here.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use super::archive::Archive;
use super::open::BEGINNING;
use super::place::Source;
use super::{CheckpointError, numpy, torch};
use crate::record::LayerKind;

/// Longest pickle of a program, which holds no numbers, and most that is read of its code.
const LONGEST_TEXT: u64 = 64 << 20;
/// How deep modules are within each other, at most: more are those of a damaged file.
const DEEPEST: usize = 100;
/// Where PyTorch's own modules are.
const PYTORCHS: &str = "__torch__.torch.nn.modules.";
/// How a program is made of a model.
const SAVE: &str = "torch.jit.script(model).save(\"net.pt\")";

/// The modules of an archive.
#[derive(Debug, Default, PartialEq)]
pub struct Program {
    /// The class of every module, such as `Linear`, by its dotted path.
    classes: HashMap<String, String>,
    /// Tensors beside its parameters that modules keep, such as running statistics, by their names.
    pub buffers: Vec<String>,
}

impl Program {
    /// Reads the declarations in a TorchScript archive.
    ///
    /// # Errors
    /// [`CheckpointError`] where the file is something else, with what to do instead.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let archive = open(path)?;
        let Some(root) = torch::root(&archive) else {
            return Err(CheckpointError::invalid(path, "it is damaged: it lacks data.pkl"));
        };
        let pickle = archive.read(&format!("{root}data.pkl"), LONGEST_TEXT)?;
        let mut program = Self::default();
        if let Some(class) = class_of_root(&pickle) {
            let mut reader =
                Reader { path, archive: &archive, root: &root, files: HashMap::new(), left: LONGEST_TEXT };
            program.add(&mut reader, String::new(), &class, DEEPEST)?;
        }
        Ok(program)
    }

    /// The kind of layer at this path, where its class tells it.
    pub fn kind(&self, module: &str) -> Option<LayerKind> {
        use LayerKind::*;
        let class = self.classes.get(module)?;
        let begins = |name: &str| class.starts_with(name);
        Some(match class.as_str() {
            "Linear" | "Bilinear" => Linear,
            "Conv1d" => Conv1d,
            "Conv2d" => Conv2d,
            "Conv3d" => Conv3d,
            "Embedding" | "EmbeddingBag" => Embedding,
            "LayerNorm" => LayerNorm,
            "GroupNorm" => GroupNorm,
            _ if begins("ConvTranspose") => ConvTranspose,
            _ if begins("InstanceNorm") => InstanceNorm,
            _ if begins("BatchNorm") || begins("SyncBatchNorm") => BatchNorm,
            _ if class.ends_with("RMSNorm") => RmsNorm,
            _ => return None,
        })
    }

    /// Adds a module of this class and those inside of it.
    fn add(
        &mut self,
        reader: &mut Reader,
        path: String,
        class: &str,
        depth: usize,
    ) -> Result<(), CheckpointError> {
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        // What others call by the same name may hold its weights in another way.
        if let Some(own) = class.strip_prefix(PYTORCHS) {
            self.classes.insert(path.clone(), own.rsplit('.').next().unwrap_or(own).to_owned());
        }
        for line in reader.declarations(class)?.iter() {
            reader.look_at(path.len() + line.len())?;
            if let Some(names) = line.strip_prefix("__buffers__ = ") {
                for name in names.split('"').skip(1).step_by(2).map(within) {
                    reader.look_at(name.len())?;
                    self.buffers.push(name);
                }
            } else if let Some((name, class)) = submodule(line)
                && depth > 0
            {
                self.add(reader, within(name), class, depth - 1)?;
            }
        }
        Ok(())
    }
}

/// The archive, if it is one of TorchScript.
fn open(path: &Path) -> Result<Archive, CheckpointError> {
    let invalid = CheckpointError::in_file(path);
    let source = Source::open(path.to_owned())?;
    let beginning =
        source.bytes(0, BEGINNING.min(source.length) as usize).map_err(CheckpointError::read(path))?;
    let weights = |by: &str| {
        invalid(format!(
            "it holds weights and no program ({by}): look at them with gradscope inspect, or save the model as \
             TorchScript, {SAVE}, to train it"
        ))
    };
    if beginning.starts_with(numpy::MAGIC) {
        return Err(weights("NumPy"));
    }
    if torch::is_legacy(&beginning) {
        return Err(weights("torch.save before PyTorch 1.6"));
    }
    if !Archive::is_one(&beginning) {
        if beginning.get(8) == Some(&b'{') {
            return Err(weights("safetensors"));
        }
        return Err(invalid(format!("it is cut short or no TorchScript archive, as {SAVE} writes it")));
    }
    let archive = Archive::open(&source)?;
    match torch::Holds::detect(&archive) {
        torch::Holds::Program => Ok(archive),
        torch::Holds::Exported => Err(invalid(format!(
            "it is an archive of torch.export, which is not trained here: save the model as TorchScript, {SAVE}"
        ))),
        torch::Holds::Weights => Err(weights("torch.save")),
        torch::Holds::Other if archive.names().any(|n| n.ends_with(".npy")) => Err(weights("NumPy")),
        torch::Holds::Other => {
            Err(invalid(format!("it is a zip archive, and none of TorchScript, as {SAVE} writes it")))
        }
    }
}

/// The class of the whole model: the first that its pickle names.
fn class_of_root(pickle: &[u8]) -> Option<String> {
    let text = pickle.strip_prefix(b"\x80\x02c")?;
    let mut lines = text.split(|b| *b == b'\n');
    let (module, name) = (lines.next()?, lines.next()?);
    Some(format!("{}.{}", String::from_utf8_lossy(module), String::from_utf8_lossy(name)))
}

/// The name and class that a line declares for a module.
fn submodule(line: &str) -> Option<(&str, &str)> {
    let (name, class) = match line.strip_prefix("__annotations__[\"") {
        Some(rest) => rest.split_once("\"] = ")?,
        None => line.split_once(" : ")?,
    };
    class.starts_with("__torch__.").then_some((name, class))
}

/// Reads code, each file once.
struct Reader<'a> {
    path: &'a Path,
    archive: &'a Archive,
    root: &'a str,
    /// The declarations of classes, by the file and the name of each.
    files: HashMap<String, HashMap<String, Rc<[String]>>>,
    /// Letters of code that may still be read, and of declarations that may be looked at.
    left: u64,
}

impl Reader<'_> {
    fn damaged(&self) -> CheckpointError {
        CheckpointError::invalid(self.path, "it is damaged: its classes declare too much")
    }

    fn look_at(&mut self, letters: usize) -> Result<(), CheckpointError> {
        self.left = self.left.checked_sub(1 + letters as u64).ok_or_else(|| self.damaged())?;
        Ok(())
    }

    /// The lines that declare what a class holds; none where its code is missing.
    fn declarations(&mut self, class: &str) -> Result<Rc<[String]>, CheckpointError> {
        let none = || Rc::from([]);
        let Some((module, name)) = class.rsplit_once('.') else { return Ok(none()) };
        let file = format!("{}code/{}.py", self.root, module.replace('.', "/"));
        if !self.files.contains_key(&file) {
            let bytes = match self.archive.get(&file) {
                Some(_) => self.archive.read(&file, self.left)?,
                None => Vec::new(),
            };
            self.look_at(bytes.len())?;
            self.files.insert(file.clone(), classes(&String::from_utf8_lossy(&bytes)));
        }
        Ok(self.files.get(&file).and_then(|classes| classes.get(name)).map_or_else(none, Rc::clone))
    }
}

/// The declarations of every class in this code before its first method.
fn classes(code: &str) -> HashMap<String, Rc<[String]>> {
    let mut classes = HashMap::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, _)) = line.strip_prefix("class ").and_then(|rest| rest.split_once('(')) else {
            continue;
        };
        let mut declared = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("  ") && !line.starts_with("  def ")) {
            declared.push(line.trim().to_owned());
        }
        classes.entry(name.to_owned()).or_insert_with(|| declared.into());
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_declare_modules_are_told_from_others() {
        let linear = "__torch__.torch.nn.modules.linear.Linear";
        assert_eq!(submodule(&format!("fc1 : {linear}")), Some(("fc1", linear)));
        assert_eq!(submodule(&format!("__annotations__[\"0\"] = {linear}")), Some(("0", linear)));
        assert_eq!(submodule("training : bool"), None);
        assert_eq!(submodule("weight : Tensor"), None);
    }

    #[test]
    fn a_program_says_of_which_class_its_modules_are() {
        let path = crate::testing::fixture("scripts/odd.pt");
        let program = Program::read(&path).unwrap();
        assert_eq!(program.kind("encoder.0"), Some(LayerKind::Conv1d));
        assert_eq!(program.kind("encoder.1"), Some(LayerKind::BatchNorm));
        assert_eq!(program.kind("up"), Some(LayerKind::ConvTranspose));
        assert_eq!(program.kind(""), None);
        let buffers =
            ["running_mean", "running_var", "num_batches_tracked"].map(|b| format!("encoder.1.{b}"));
        assert_eq!(program.buffers, buffers);
    }
}
