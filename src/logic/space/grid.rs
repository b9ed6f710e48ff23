//! A grid: options that are all tried, and how many points they stand for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::domain::Domain;

/// Options that are all tried. One that holds grids itself stands for several points.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<Domain>", into = "Vec<Domain>")]
pub struct Grid {
    options: Arc<[Domain]>,
    /// Up to which point each option reaches; none if each stands for a single one, which is the usual case.
    ends: Option<Arc<[u64]>>,
}

impl From<Vec<Domain>> for Grid {
    fn from(options: Vec<Domain>) -> Self {
        Self::new(options)
    }
}

impl From<Grid> for Vec<Domain> {
    fn from(grid: Grid) -> Self {
        grid.options.to_vec()
    }
}

impl Grid {
    pub(super) fn new(options: Vec<Domain>) -> Self {
        let sizes = || options.iter().map(Domain::grid_size);
        let ends = sizes().any(|size| size != 1).then(|| {
            sizes()
                .scan(0_u64, |end, size| {
                    *end = end.saturating_add(size);
                    Some(*end)
                })
                .collect()
        });
        Self { options: options.into(), ends }
    }

    /// What it was made of.
    pub fn options(&self) -> &[Domain] {
        &self.options
    }

    /// How many points it stands for, those of grids inside its options included.
    pub fn size(&self) -> u64 {
        match &self.ends {
            Some(ends) => ends.last().copied().unwrap_or(0),
            None => self.options.len() as u64,
        }
    }

    /// The option in which `point` lies, its number, and the point's number within it.
    pub(super) fn locate(&self, point: u64) -> Option<(usize, &Domain, u64)> {
        let Some(ends) = &self.ends else {
            let index = usize::try_from(point).ok()?;
            return Some((index, self.options.get(index)?, 0));
        };
        let index = ends.partition_point(|&end| end <= point);
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        Some((index, self.options.get(index)?, point - start))
    }
}
