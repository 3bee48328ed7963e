//! What the code promises to whoever carries it on: imports that point downward, no circles, small functions,
//! comments that say something. `cargo test --test it house -- --nocapture` prints the figures.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, UseTree};

/// Folders of `src/`, from the top down: a file imports from its own folder and from those after it.
const LAYERS: [&str; 9] =
    ["cli", "train", "checkpoint", "report", "plot", "diagnose", "record", "stats", "text"];
/// Functions that may be longer than [`MAX_LINES`]: a table of opcodes is read line by line.
const TABLES: [&str; 1] = ["src/checkpoint/torch/machine.rs: step"];
/// Lines of a function, from its signature to its closing brace.
const MAX_LINES: usize = 60;
/// Parameters of a function, `self` apart.
const MAX_PARAMETERS: usize = 5;
/// Closures that are given a name: what is used once is clearer where it is used.
const MAX_NAMED_CLOSURES: usize = 150;
/// Files that stand directly in one of the larger folders.
const MAX_FILES: usize = 8;
/// Names `of` and `of_…`, which say little: `new`, `from_…` and `with_…` are what readers look for.
const MAX_OF: usize = 9;
/// Share of doc comments that open with "What", as a question would.
const MAX_QUESTIONS: f64 = 0.02;

/// A source file and what is imported into it.
struct Source {
    /// Relative to the repository, such as `src/stats/norm.rs`.
    name: String,
    /// Its module, such as `["stats", "norm"]`; empty for `lib.rs`.
    module: Vec<String>,
    file: syn::File,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    found.sort();
    let sources = found.iter().map(|path| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let inner = name.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod") || ["lib", "core"].contains(&inner) {
            module.pop();
        }
        let text = fs::read_to_string(path).unwrap();
        Source { file: syn::parse_file(&text).unwrap_or_else(|e| panic!("{name}: {e}")), name, module }
    });
    sources.collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| {
        a.path().is_ident("test")
            || a.path().is_ident("cfg")
                && a.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

/// What is counted in a file.
#[derive(Default)]
struct Figures {
    named_closures: usize,
    docs: usize,
    questions: Vec<String>,
    empty: Vec<String>,
    long: Vec<String>,
    wide: Vec<String>,
    of: Vec<String>,
    most: Vec<String>,
    in_tests: bool,
    name: String,
}

impl Figures {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (name, place) = (signature.ident.to_string(), format!("{}: {}", self.name, signature.ident));
        let lines = block.brace_token.span.close().end().line + 1 - signature.fn_token.span.start().line;
        if lines > MAX_LINES && !TABLES.contains(&place.as_str()) {
            self.long.push(format!("{place} ({lines} lines)"));
        }
        let parameters = signature.inputs.iter().filter(|i| matches!(i, syn::FnArg::Typed(_))).count();
        if parameters > MAX_PARAMETERS {
            self.wide.push(format!("{place} ({parameters})"));
        }
        if name == "of" || name.starts_with("of_") {
            self.of.push(place);
        }
    }

    /// Counts what a run of doc comments opens with, and whether it says more than a word or two.
    fn doc(&mut self, attributes: &[Attribute]) {
        let lines = attributes.iter().filter(|a| a.path().is_ident("doc")).filter_map(|a| {
            let syn::Meta::NameValue(pair) = &a.meta else { return None };
            let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
            Some(text.value().trim().to_owned())
        });
        let text = lines.collect::<Vec<_>>().join(" ");
        let mut words = text.split_whitespace();
        let Some(first) = words.next() else { return };
        self.docs += 1;
        if ["What", "Whose", "Which"].contains(&first) {
            self.questions.push(format!("{}: {text}", self.name));
        }
        // The comments of flags are the texts of --help, which names a file by its name alone.
        if words.next().is_none() && !self.name.starts_with("src/cli/args/") {
            self.empty.push(format!("{}: {text}", self.name));
        }
    }
}

impl<'ast> Visit<'ast> for Figures {
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let outer = self.in_tests;
        self.in_tests |= is_test(&item.attrs);
        visit::visit_item_mod(self, item);
        self.in_tests = outer;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        self.doc(&item.attrs);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        self.doc(&item.attrs);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        self.doc(&item.attrs);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.doc(&item.attrs);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.doc(&item.attrs);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.doc(&item.attrs);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.doc(&item.attrs);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.doc(&field.attrs);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.doc(&variant.attrs);
        visit::visit_variant(self, variant);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.doc(&item.attrs);
        let name = item.ident.to_string();
        if ["MOST_", "LEAST_", "LARGEST_"].iter().any(|start| name.starts_with(start)) {
            self.most.push(format!("{}: {name}", self.name));
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let closure = local.init.as_ref().is_some_and(|init| matches!(*init.expr, Expr::Closure(_)));
        if closure && !self.in_tests {
            self.named_closures += 1;
        }
        visit::visit_local(self, local);
    }
}

fn figures(sources: &[Source]) -> Figures {
    let mut figures = Figures::default();
    for source in sources {
        figures.name.clone_from(&source.name);
        figures.in_tests = source.name.ends_with("/tests.rs") || source.name.contains("/tests/");
        figures.doc(&source.file.attrs);
        figures.visit_file(&source.file);
    }
    figures
}

/// The modules and the names that they pass on, to tell which file an import is about.
struct Names {
    modules: BTreeMap<Vec<String>, usize>,
    /// Of a module: a name that it re-exports, and the path that it stands for.
    passed_on: HashMap<(Vec<String>, String), Vec<String>>,
}

/// The paths of a tree of imports, each with the name that it is given.
fn paths(tree: &UseTree, so_far: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let with = |name: &syn::Ident| [so_far, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => paths(&path.tree, &with(&path.ident), found),
        UseTree::Name(name) => found.push((with(&name.ident), name.ident.to_string())),
        UseTree::Rename(name) => found.push((with(&name.ident), name.rename.to_string())),
        UseTree::Glob(_) => found.push((so_far.to_vec(), "*".into())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| paths(tree, so_far, found)),
    }
}

/// A path from the root of the crate, of one that is written in this module.
fn absolute(
    path: &[String],
    module: &[String],
    modules: &BTreeMap<Vec<String>, usize>,
) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" | "gradscope" | "gradscope_core" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let supers = path.iter().take_while(|name| *name == "super").count();
            Some([&module[..module.len().checked_sub(supers)?], &path[supers..]].concat())
        }
        name => {
            let child = [module, &[name.to_owned()]].concat();
            modules.contains_key(&child).then(|| [module, path].concat())
        }
    }
}

impl Names {
    fn new(sources: &[Source]) -> Self {
        let modules = (0..).zip(sources).map(|(i, s)| (s.module.clone(), i)).collect();
        let mut names = Self { modules, passed_on: HashMap::new() };
        for source in sources {
            for item in &source.file.items {
                let Item::Use(item) = item else { continue };
                if matches!(item.vis, syn::Visibility::Inherited) {
                    continue;
                }
                let mut found = Vec::new();
                paths(&item.tree, &[], &mut found);
                for (path, name) in found {
                    if let Some(path) = absolute(&path, &source.module, &names.modules) {
                        names.passed_on.insert((source.module.clone(), name), path);
                    }
                }
            }
        }
        names
    }

    /// The file in which what a path names is defined.
    fn file(&self, path: &[String]) -> Option<usize> {
        self.look(path, 0)
    }

    fn look(&self, path: &[String], depth: usize) -> Option<usize> {
        let mut module = Vec::new();
        for (i, name) in path.iter().enumerate() {
            let child = [module.as_slice(), std::slice::from_ref(name)].concat();
            if self.modules.contains_key(&child) {
                module = child;
                continue;
            }
            // Four re-exports in a row would be a maze of its own.
            if let Some(target) = self.passed_on.get(&(module.clone(), name.clone())).filter(|_| depth < 4) {
                return self.look(&[target.as_slice(), &path[i + 1..]].concat(), depth + 1);
            }
            break;
        }
        self.modules.get(&module).copied()
    }
}

/// The imports and the paths in a file, tests apart.
#[derive(Default)]
struct Paths {
    found: BTreeSet<Vec<String>>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // What is passed on is asked of whoever takes it.
        if matches!(item.vis, syn::Visibility::Inherited) && !is_test(&item.attrs) {
            let mut found = Vec::new();
            paths(&item.tree, &[], &mut found);
            self.found.extend(found.into_iter().map(|(path, _)| path));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.found.insert(path.segments.iter().map(|s| s.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

/// For every file, those that it takes something from.
fn imports(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let names = Names::new(sources);
    let imports = sources.iter().enumerate().map(|(i, source)| {
        let mut paths = Paths::default();
        if !source.name.ends_with("tests.rs") && !source.name.contains("/tests/") {
            paths.visit_file(&source.file);
        }
        let of_file = paths.found.iter().filter_map(|path| {
            let path = absolute(path, &source.module, &names.modules)?;
            names.file(&path).filter(|j| *j != i)
        });
        of_file.collect()
    });
    imports.collect()
}

/// Groups of files that all reach each other.
fn circles(imports: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let reach: Vec<BTreeSet<usize>> = (0..imports.len())
        .map(|start| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
            while let Some(file) = next.pop() {
                next.extend(imports[file].iter().filter(|j| seen.insert(**j)));
            }
            seen
        })
        .collect();
    let mut circles: BTreeSet<Vec<usize>> = BTreeSet::new();
    for (i, reached) in reach.iter().enumerate().filter(|(i, reached)| reached.contains(i)) {
        circles.insert(reached.iter().copied().filter(|j| reach[*j].contains(&i)).collect());
    }
    circles.into_iter().collect()
}

fn list(title: &str, places: &[String]) -> String {
    format!("{title}: {}\n  {}", places.len(), places.join("\n  "))
}

#[test]
fn comments_and_names_say_something() {
    let figures = figures(&sources());
    let share = figures.questions.len() as f64 / figures.docs as f64;
    println!("doc comments: {}, that open as questions: {:.1}%", figures.docs, 100.0 * share);
    assert!(share < MAX_QUESTIONS, "{}", list("doc comments that open as questions", &figures.questions));
    assert!(figures.empty.is_empty(), "{}", list("doc comments of one word", &figures.empty));
    assert!(figures.most.is_empty(), "{}", list("MAX_ and MIN_ are what readers look for", &figures.most));
    assert!(figures.of.len() <= MAX_OF, "{}", list("names that say little", &figures.of));
}

#[test]
fn functions_are_small() {
    let figures = figures(&sources());
    println!("named closures: {}", figures.named_closures);
    assert!(figures.long.is_empty(), "{}", list("long functions", &figures.long));
    assert!(figures.wide.is_empty(), "{}", list("functions of many parameters", &figures.wide));
    assert!(figures.named_closures < MAX_NAMED_CLOSURES, "{} named closures", figures.named_closures);
}

#[test]
fn folders_are_small_and_mod_files_hold_no_logic() {
    for folder in ["train", "plot", "cli", "record"] {
        let entries = fs::read_dir(root().join("src").join(folder)).unwrap();
        let files = entries.filter(|e| e.as_ref().unwrap().path().is_file()).count();
        println!("files directly in {folder}: {files}");
        assert!(files <= MAX_FILES, "{files} files stand directly in src/{folder}");
    }
    let logic = sources().into_iter().filter(|s| s.name.ends_with("/mod.rs")).filter_map(|source| {
        let own = source.file.items.iter().filter(|i| matches!(i, Item::Fn(_) | Item::Impl(_))).count();
        (own > 0).then(|| format!("{}: {own} functions and impls", source.name))
    });
    let logic: Vec<String> = logic.collect();
    assert!(logic.is_empty(), "{}", list("a mod.rs passes names on", &logic));
}

#[test]
fn imports_point_downward_and_never_in_circles() {
    let sources = sources();
    let imports = imports(&sources);
    let layer = |i: usize| LAYERS.iter().position(|l| sources[i].module.first().is_some_and(|m| m == l));
    let upward = imports.iter().enumerate().flat_map(|(i, of_file)| {
        let up = of_file.iter().filter(move |j| layer(i).zip(layer(**j)).is_some_and(|(i, j)| j < i));
        up.map(move |j| (i, *j))
    });
    let upward: Vec<String> =
        upward.map(|(i, j)| format!("{} takes from {}", sources[i].name, sources[j].name)).collect();
    assert!(upward.is_empty(), "{}", list("imports that point upward", &upward));
    let circles: Vec<String> = circles(&imports)
        .iter()
        .map(|circle| circle.iter().map(|i| sources[*i].name.as_str()).collect::<Vec<_>>().join(", "))
        .collect();
    println!("circles: {}", circles.len());
    assert!(circles.is_empty(), "{}", list("circles of files", &circles));
}

#[test]
fn what_is_counted_is_seen() {
    let text = "/// What it is.\nfn of() { let f = |x| x; }\n/// One.\nconst MOST_X: u8 = 1;\n\
                #[cfg(test)]\nmod tests { fn g() { let f = |x| x; } }";
    let source = |module: &[&str], text: &str| Source {
        name: format!("src/{}.rs", module.join("/")),
        module: module.iter().map(|m| (*m).to_owned()).collect(),
        file: syn::parse_file(text).unwrap(),
    };
    let figures = figures(&[source(&["x"], text)]);
    assert_eq!((figures.named_closures, figures.docs), (1, 2));
    assert_eq!([figures.questions.len(), figures.empty.len(), figures.of.len(), figures.most.len()], [1; 4]);

    let sources = [
        source(&["a"], "pub use b::B; pub mod b; pub mod c;"),
        source(&["a", "b"], "use super::c::C; pub struct B(C);"),
        source(&["a", "c"], "pub struct C(crate::d::D);"),
        source(&["d"], "use crate::a::B; pub struct D(Box<B>);"),
        source(&["e"], "use super::a::B;"),
    ];
    assert_eq!(circles(&imports(&sources)), [vec![1, 2, 3]]);
}
