//! Embeddings: a vector a word.

use tch::{Kind as Numbers, Tensor};

use crate::record::{Activation, LayerKind};
use crate::train::init::Init;
use crate::train::model::entry::Entry;
use crate::train::model::fault::{Checked, MAX_UNITS, bounded};
use crate::train::model::kind::{Kind, Place};
use crate::train::model::layer_options::LayerOptions;
use crate::train::model::layers::LayerSpec;
use crate::train::model::layers::Spec;
use crate::train::model::op::Op;
use crate::train::model::planner::Takes;
use crate::train::model::planner::{Planned, Planner, Weighted};
use crate::train::model::shape::Shape;
use crate::train::network::Pass;

/// Words, at most: float32, in which rows of data are kept, counts no further one by one.
const MAX_WORDS: u64 = 1 << 24;

pub static KIND: Kind = Kind {
    name: "embedding",
    about: "a vector of so many units for every word: each column of the data is a step and holds its word's number",
    needs: &["words", "units"],
    takes: &["init", "dropout", "trainable"],
    output: false,
    resolve,
};

#[derive(Debug)]
struct Embedding {
    words: u64,
    units: u64,
}

fn resolve(entry: &Entry, place: &Place) -> Checked<LayerSpec> {
    let words = entry.needed(&entry.words, |n| bounded("words", n, 1, MAX_WORDS))?;
    let units = entry.needed(&entry.units, |n| bounded("units", n, 1, MAX_UNITS))?;
    let place = Place { act: Activation::Identity, ..*place };
    let dense = LayerOptions { bias: false, ..place.dense(entry)? };
    Ok(LayerSpec::with(Embedding { words, units }, dense))
}

impl Spec for Embedding {
    fn plan(&self, layer: &LayerSpec, planner: &mut Planner) -> Planned<()> {
        let name = planner.name("emb");
        let dense = layer.dense.clone().unwrap_or(LayerOptions::new(Activation::Identity));
        if !planner.at_the_data() {
            return Err(format!(
                "{name} takes the numbers of words, as the data has them, but {} gives {}: let it be the first layer",
                planner.previous(),
                planner.shape.described()
            ));
        }
        let steps = planner.row(&name)?;
        let (shape, default) = (vec![self.words, self.units], (Init::Normal(0.0, 1.0), Init::Default));
        let weighted = Weighted { name, kind: LayerKind::Embedding, shape, default, with_next: false };
        let layer = planner.weighted(weighted, &dense)?;
        planner.plan.vocab_size = Some(self.words);
        planner.push(Look([layer]), Shape::Sequence([steps, self.units]));
        planner.dropout(dense.dropout);
        Ok(())
    }

    fn takes(&self) -> Takes {
        Takes::Rows
    }

    fn takes_act(&self) -> bool {
        false
    }

    fn takes_norm(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Look([usize; 1]);

impl Op for Look {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor {
        let words = x.to_kind(Numbers::Int64);
        Tensor::embedding(&pass.parameters(self.0[0]).weight, &words, -1, false, false).transpose(1, 2)
    }

    fn layers(&self) -> &[usize] {
        &self.0
    }

    fn times(&self, _output: Shape) -> u64 {
        // A few rows are copied; nothing is multiplied.
        0
    }
}
