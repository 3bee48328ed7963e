//! TorchScript archives: a program with its parameters, which is trained rather than inspected. What its
//! modules are is read from the declarations of their classes, as text; nothing is run here.

use std::collections::HashMap;
use std::path::Path;

use super::archive::Archive;
use super::place::Source;
use super::{BEGINNING, CheckpointError, numpy, torch};
use crate::record::LayerKind;

/// Longest pickle of a program, which holds no numbers, and longest file of its code.
const LONGEST_TEXT: u64 = 64 << 20;
/// Modules, at most, and how deep within each other: more are those of a damaged file.
const MOST_MODULES: usize = 100_000;
const DEEPEST: usize = 100;
/// How a program is made of a model.
const SAVE: &str = "torch.jit.script(model).save(\"net.pt\")";

/// What an archive says of its modules.
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
        let Some(root) = archive.names().find_map(|n| n.strip_suffix("data.pkl")).map(str::to_owned) else {
            return Err(CheckpointError::invalid(path, "it is damaged: it lacks data.pkl"));
        };
        let pickle = archive.read(&format!("{root}data.pkl"), LONGEST_TEXT)?;
        let mut program = Self::default();
        if let Some(class) = class_of_root(&pickle) {
            let mut reader = Reader { archive: &archive, root: &root, files: HashMap::new() };
            program.add(&mut reader, String::new(), &class, DEEPEST)?;
        }
        Ok(program)
    }

    /// What the module of this path computes, where its class says so.
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
        let name = class.rsplit('.').next().unwrap_or(class);
        self.classes.insert(path.clone(), name.to_owned());
        for line in reader.declarations(class)? {
            if let Some(names) = line.strip_prefix("__buffers__ = ") {
                self.buffers.extend(names.split('"').skip(1).step_by(2).map(within));
            } else if let Some((name, class)) = submodule(&line)
                && depth > 0
                && self.classes.len() < MOST_MODULES
            {
                self.add(reader, within(name), class, depth - 1)?;
            }
        }
        Ok(())
    }
}

/// The archive, if it is one of TorchScript.
fn open(path: &Path) -> Result<Archive, CheckpointError> {
    let invalid = |reason: String| CheckpointError::invalid(path, reason);
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
    match torch::Holds::of(&archive) {
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
    archive: &'a Archive,
    root: &'a str,
    files: HashMap<String, String>,
}

impl Reader<'_> {
    /// The lines that declare what a class holds; none where its code is missing.
    fn declarations(&mut self, class: &str) -> Result<Vec<String>, CheckpointError> {
        let Some((module, name)) = class.rsplit_once('.') else { return Ok(Vec::new()) };
        let file = format!("{}code/{}.py", self.root, module.replace('.', "/"));
        if !self.files.contains_key(&file) {
            let bytes = match self.archive.get(&file) {
                Some(_) => self.archive.read(&file, LONGEST_TEXT)?,
                None => Vec::new(),
            };
            self.files.insert(file.clone(), String::from_utf8_lossy(&bytes).into_owned());
        }
        let lines = self.files.get(&file).map_or("", String::as_str).lines();
        let begin = format!("class {name}(");
        let body = lines.skip_while(|line| !line.starts_with(&begin)).skip(1);
        let declared = body.take_while(|line| line.starts_with("  ") && !line.starts_with("  def "));
        Ok(declared.map(|line| line.trim().to_owned()).collect())
    }
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
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scripts/odd.pt");
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
