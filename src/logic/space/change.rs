//! Another space in the place of one that is in use: other ranges and options under the same names.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Space;
use super::domain::Domain;
use super::error::{Outside, SpaceError};
use super::function::join;
use super::inside::same;
use crate::logic::config::Config;

impl Space {
    /// This space with the domains that `changes` gives: a number may get other bounds, another scale and another quantum, a
    /// choice or grid other options. Maps are taken name by name, lists of the same length element by element. Names that
    /// aren't in `changes` stay as they are, and those that aren't in this space are passed over.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let space = Space::new().with("lr", log_uniform(1e-5, 1.0)).with("act", choice(["relu", "gelu"]));
    /// let narrower = space.changed(&Space::new().with("lr", log_uniform(1e-4, 1e-2)))?;
    /// assert_eq!(narrower, Space::new().with("lr", log_uniform(1e-4, 1e-2)).with("act", choice(["relu", "gelu"])));
    ///
    /// let error = space.changed(&Space::new().with("act", uniform(0.0, 1.0))).unwrap_err();
    /// assert!(error.to_string().starts_with("`act` is one of: \"relu\", \"gelu\" and can't become a number"), "{error}");
    /// # Ok::<(), SpaceError>(())
    /// ```
    ///
    /// # Errors
    /// If a value would become one of another kind, or as in [`check`](Space::check).
    pub fn changed(&self, changes: &Space) -> Result<Space, SpaceError> {
        let changed = self.changed_at(changes, "")?;
        changed.check()?;
        Ok(changed)
    }

    fn changed_at(&self, changes: &Space, path: &str) -> Result<Space, SpaceError> {
        let mut changed = self.clone();
        for (name, change) in changes.iter() {
            if let Some(domain) = changed.entries.get_mut(name) {
                *domain = domain.changed_at(change, &join(path, &name))?;
            }
        }
        Ok(changed)
    }

    /// Both changes as one: where both say something, `later` counts.
    pub(crate) fn merged(&self, later: &Space) -> Space {
        let mut merged = self.clone();
        for (name, domain) in &later.entries {
            let domain = match (merged.entries.get(name), domain) {
                (Some(Domain::Map(one)), Domain::Map(other)) => Domain::Map(one.merged(other)),
                _ => domain.clone(),
            };
            merged.entries.insert(name.clone(), domain);
        }
        merged
    }

    /// The paths of the values in `changes` that this space doesn't have.
    pub(crate) fn lacks(&self, changes: &Space) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        changes.lacking(Some(self), "", &mut found);
        found
    }

    fn lacking(&self, whole: Option<&Space>, path: &str, found: &mut BTreeSet<String>) {
        for (name, change) in self.iter() {
            let path = join(path, &name);
            match (change, whole.and_then(|whole| whole.get(name))) {
                (Domain::Map(change), Some(Domain::Map(there))) => change.lacking(Some(there), &path, found),
                (Domain::Map(change), None) => change.lacking(None, &path, found),
                (_, None) => drop(found.insert(path)),
                (_, Some(_)) => {}
            }
        }
    }

    /// The first value of `config` that isn't in the domain that these changes give it. Names that they don't have count for
    /// nothing.
    pub(crate) fn shuts_out(&self, config: &Config) -> Option<Outside> {
        self.shuts_out_at(config.as_map(), "")
    }

    fn shuts_out_at(&self, map: &Map<String, Value>, path: &str) -> Option<Outside> {
        self.iter().find_map(|(name, domain)| {
            let path = join(path, &name);
            match (domain, map.get(name)?) {
                (Domain::Map(space), Value::Object(map)) => space.shuts_out_at(map, &path),
                (domain, value) => domain.holds(value, &path).err(),
            }
        })
    }

    /// The number that a point of this space's grids has among those of `other`; none if one of its options isn't there.
    pub(crate) fn point_in(&self, mut point: u64, other: &Space) -> Option<u64> {
        let (mut found, mut stride) = (0_u64, 1_u64);
        for (name, domain) in self.iter() {
            let there = other.get(name)?;
            let size = domain.grid_size().max(1);
            found = found.checked_add(domain.point_in(point % size, there)?.checked_mul(stride)?)?;
            point /= size;
            stride = stride.checked_mul(there.grid_size().max(1))?;
        }
        Some(found)
    }
}

impl Domain {
    fn changed_at(&self, change: &Domain, path: &str) -> Result<Domain, SpaceError> {
        match (self, change) {
            (Domain::Map(space), Domain::Map(changes)) => space.changed_at(changes, path).map(Domain::Map),
            (Domain::List(items), Domain::List(changes)) if items.len() == changes.len() => {
                let both = items.iter().zip(changes).enumerate();
                let changed = both.map(|(index, (item, change))| item.changed_at(change, &join(path, &index)));
                changed.collect::<Result<_, _>>().map(Domain::List)
            }
            (Domain::Float(_), Domain::Float(_))
            | (Domain::Normal(_), Domain::Normal(_))
            | (Domain::Int(_), Domain::Int(_))
            | (Domain::Choice(_), Domain::Choice(_))
            | (Domain::Grid(_), Domain::Grid(_)) => Ok(change.clone()),
            (Domain::Constant(one), Domain::Constant(other)) if same(one, other) => Ok(self.clone()),
            _ => Err(SpaceError::Kind { key: path.to_owned(), is: self.to_string(), wanted: change.to_string() }),
        }
    }

    /// Whether it stands for the same thing with other ranges and options.
    fn is_like(&self, other: &Domain) -> bool {
        match (self, other) {
            (Domain::Map(one), Domain::Map(other)) => {
                one.entries.len() == other.entries.len()
                    && one.iter().all(|(name, domain)| other.get(name).is_some_and(|other| domain.is_like(other)))
            }
            (Domain::List(one), Domain::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_like(other))
            }
            (Domain::Constant(one), Domain::Constant(other)) => same(one, other),
            (Domain::Depends(_), Domain::Depends(_)) => self == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    fn point_in(&self, point: u64, other: &Domain) -> Option<u64> {
        match (self, other) {
            (Domain::Map(space), Domain::Map(other)) => space.point_in(point, other),
            (Domain::List(items), Domain::List(others)) => {
                let (mut point, mut found, mut stride) = (point, 0_u64, 1_u64);
                for (item, there) in items.iter().zip(others) {
                    let size = item.grid_size().max(1);
                    found = found.checked_add(item.point_in(point % size, there)?.checked_mul(stride)?)?;
                    point /= size;
                    stride = stride.checked_mul(there.grid_size().max(1))?;
                }
                Some(found)
            }
            (Domain::Grid(grid), Domain::Grid(other)) => {
                let (index, option, inner) = grid.locate(point)?;
                let place = matched(grid.options(), other.options()).iter().position(|old| *old == Some(index))?;
                let before: u64 = other.options().iter().take(place).map(Domain::grid_size).sum();
                Some(before + option.point_in(inner, other.options().get(place)?)?)
            }
            _ => Some(0),
        }
    }
}

/// For each of the new options the old one that it is: the same, or else the first one like it.
pub(super) fn matched(old: &[Domain], new: &[Domain]) -> Vec<Option<usize>> {
    let mut free: BTreeSet<usize> = (0..old.len()).collect();
    let mut find = |alike: &dyn Fn(&Domain) -> bool| {
        let found = free.iter().copied().find(|index| old.get(*index).is_some_and(alike))?;
        free.remove(&found);
        Some(found)
    };
    let mut matched: Vec<Option<usize>> = new.iter().map(|option| find(&|old| old == option)).collect();
    for (option, place) in new.iter().zip(&mut matched) {
        *place = place.or_else(|| find(&|old| old.is_like(option)));
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::super::{choice, grid, int, list, uniform};
    use super::*;

    #[test]
    fn a_point_of_a_grid_is_found_in_another() -> Result<(), SpaceError> {
        let inner = |depths: Vec<i64>| Space::new().with("depth", grid(depths)).with("kind", "deep");
        let space = |batch: Vec<i64>, depths: Vec<i64>| {
            let net: Vec<Domain> = vec!["flat".into(), inner(depths).into()];
            Space::new().with("batch", grid(batch)).with("net", grid(net)).with("l", list([grid([1, 2]), 3.into()]))
        };
        let (old, new) = (space(vec![32, 64], vec![1, 2]), space(vec![16, 64, 32], vec![2, 3]));
        for point in 0..old.grid_size() {
            let was = old.sample(0, point)?;
            match old.point_in(point, &new) {
                Some(found) => assert_eq!(new.sample(0, found)?.to_string(), was.to_string()),
                None => assert_eq!(was.number("net/depth"), Some(1.0), "only that option has gone"),
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_shut_out_and_what_is_unknown() {
        let space = Space::new().with("x", uniform(0.0, 1.0)).with("net", Space::new().with("n", int(0, 9)));
        let changes = Space::new().with("x", uniform(0.0, 0.5)).with("net", Space::new().with("n", int(2, 4)));
        let config = |x: f64, n: i64| Config::new().with("x", x).with("net", serde_json::json!({"n": n, "other": 1}));
        assert_eq!(changes.shuts_out(&config(0.5, 3)), None);
        let outside = changes.shuts_out(&config(0.2, 4)).expect("4 isn't below 4");
        assert_eq!(outside.to_string(), "`net/n` is 4, but must be an integer from 2 to 3");
        assert!(changes.shuts_out(&Config::new()).is_none());
        let unknown = Space::new().with("y", 1).with("net", Space::new().with("m", 1).with("n", int(0, 2)));
        assert_eq!(space.lacks(&unknown).into_iter().collect::<Vec<_>>(), ["net/m", "y"]);
    }

    #[test]
    fn options_are_told_apart_by_what_they_are() {
        let sgd = |high: f64| Domain::from(Space::new().with("name", "sgd").with("momentum", uniform(0.0, high)));
        let plain = |name: &str| Domain::from(name);
        let new = [plain("b"), sgd(0.5), plain("c"), plain("a")];
        assert_eq!(matched(&[plain("a"), plain("b"), sgd(1.0)], &new), [Some(1), Some(2), None, Some(0)]);
        assert_eq!(matched(&[choice([1]), choice([2])], &[choice([2]), choice([1, 2])]), [Some(1), Some(0)]);
    }

    #[test]
    fn a_value_stays_of_its_kind() {
        let space = Space::new().with("n", int(0, 9)).with("fixed", 3).with("l", list([uniform(0.0, 1.0)]));
        let refused = |changes: Space| space.changed(&changes).expect_err("it isn't possible").to_string();
        let words = refused(Space::new().with("n", uniform(0.0, 1.0)));
        assert!(words.starts_with("`n` is an integer from 0 to 8 and can't become a number from 0 to 1"), "{words}");
        assert!(refused(Space::new().with("fixed", 4)).starts_with("`fixed` is 3 and can't become 4"));
        assert!(refused(Space::new().with("n", int(5, 5))).contains("lower bound"));
        assert!(space.changed(&Space::new().with("fixed", 3.0).with("l", list([uniform(0.0, 9.0)]))).is_ok());
    }
}
