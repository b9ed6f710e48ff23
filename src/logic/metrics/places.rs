//! Where names stand in a list: looked through while it is short, and known by name when it is long.

use std::collections::HashMap;

use super::named::Name;

/// Lists up to this length are looked through.
const SHORT: usize = 32;

/// The places of the names of a list. It says nothing that the list doesn't say, so a copy begins without it.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "nearly every list is short, and there is one for each report")]
pub(super) struct Places(Option<Box<HashMap<Name, usize>>>);

impl Clone for Places {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Places {
    /// Of an empty list.
    pub(super) const NONE: Self = Self(None);

    /// The place of `name`.
    pub(super) fn find<T>(&self, list: &[(Name, T)], name: &str) -> Option<usize> {
        match &self.0 {
            Some(places) => places.get(name).copied(),
            None => list.iter().position(|(known, _)| known == name),
        }
    }

    /// Puts a new name at the end.
    pub(super) fn push<T>(&mut self, list: &mut Vec<(Name, T)>, name: Name, value: T) {
        if let Some(places) = &mut self.0 {
            places.insert(name.clone(), list.len());
        }
        list.push((name, value));
        self.prepare(list);
    }

    /// Makes what is needed to find names in a list that is long.
    pub(super) fn prepare<T>(&mut self, list: &[(Name, T)]) {
        if self.0.is_none() && list.len() > SHORT {
            let places = list.iter().enumerate().map(|(place, (name, _))| (name.clone(), place));
            self.0 = Some(Box::new(places.collect()));
        }
    }
}
