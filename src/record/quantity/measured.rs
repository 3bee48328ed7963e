//! The one interface of everything that is measured of a layer.

use crate::record::Layer;

/// A quantity of a layer, as a capture holds it.
pub trait Quantity {
    /// The type of the field that holds it.
    type Value: Clone;

    /// Leaves what a history keeps of it: by default all.
    fn compact(value: &mut Self::Value) {
        let _ = value;
    }

    /// Its value over all ranks, rank 0 first: by default that of rank 0, since all hold the same.
    fn merged(ranks: &[Option<&Self::Value>]) -> Option<Self::Value> {
        ranks.first().copied().flatten().cloned()
    }

    /// Bytes that it takes beside its field, about.
    fn memory(value: &Self::Value) -> usize {
        let _ = value;
        0
    }

    /// Whether a layer can have this value.
    ///
    /// # Errors
    /// A clause that says what is wrong with it.
    fn check(value: &Self::Value, layer: &Layer) -> Result<(), String> {
        let _ = (value, layer);
        Ok(())
    }
}

/// The values of all ranks; `None` where one lacks it.
pub fn all_values<'a, T>(ranks: &[Option<&'a T>]) -> Option<Vec<&'a T>> {
    ranks.iter().copied().collect()
}

/// Lists the fields of a struct that are quantities, those that are always there and those that may be
/// missing, and implements for it what goes over all of them; with `new`, a constructor of those that are
/// always there.
macro_rules! list_quantities {
    (
        $owner:ty, new, always { $($always:ident: $always_is:ty),* $(,)? } optional { $($field:ident: $is:ty),* $(,)? }
    ) => {
        impl $owner {
            /// A capture of which nothing else was measured.
            pub fn new($($always: <$always_is as $crate::record::quantity::Quantity>::Value),*) -> Self {
                Self { $($always,)* $($field: None),* }
            }
        }
        list_quantities!($owner, always { $($always: $always_is),* } optional { $($field: $is),* });
    };
    (
        $owner:ty, always { $($always:ident: $always_is:ty),* $(,)? } optional { $($field:ident: $is:ty),* $(,)? }
    ) => {
        impl $owner {
            fn compact_each(&mut self) {
                $(<$always_is as $crate::record::quantity::Quantity>::compact(&mut self.$always);)*
                $(self.$field.iter_mut().for_each(<$is as $crate::record::quantity::Quantity>::compact);)*
            }

            fn merge_each(&mut self, ranks: &[&Self]) {
                $(
                    let values: Vec<_> = ranks.iter().map(|rank| Some(&rank.$always)).collect();
                    if let Some(value) = <$always_is as $crate::record::quantity::Quantity>::merged(&values) {
                        self.$always = value;
                    }
                )*
                $(
                    let values: Vec<_> = ranks.iter().map(|rank| rank.$field.as_ref()).collect();
                    self.$field = <$is as $crate::record::quantity::Quantity>::merged(&values);
                )*
            }

            fn memory_of_each(&self) -> usize {
                let mut bytes = 0;
                $(bytes += <$always_is as $crate::record::quantity::Quantity>::memory(&self.$always);)*
                $(
                    let value = self.$field.as_ref();
                    bytes += value.map_or(0, <$is as $crate::record::quantity::Quantity>::memory);
                )*
                bytes
            }

            fn check_each(&self, layer: &$crate::record::Layer) -> Result<(), String> {
                $(<$always_is as $crate::record::quantity::Quantity>::check(&self.$always, layer)?;)*
                $(
                    if let Some(value) = &self.$field {
                        <$is as $crate::record::quantity::Quantity>::check(value, layer)?;
                    }
                )*
                Ok(())
            }
        }
    };
}
pub(crate) use list_quantities;
