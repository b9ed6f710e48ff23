//! Fixes some values of a space and leaves the rest to be drawn: preset points, and searchers that model a part.

use serde_json::{Map, Value};

use super::Space;
use super::domain::Domain;
use super::error::{Outside, SpaceError};
use super::function::join;
use super::variants::Source;
use crate::logic::config::Config;

impl Space {
    /// The space in which the values given in `config` are constant, and those of them that are not in their domains
    /// (which is no error). A map is taken name by name, so that its other names stay as they are; a key may be a path.
    /// A fixed grid is no grid any more.
    ///
    /// # Errors
    /// If the space doesn't have one of the keys.
    pub fn fix(&self, config: &Config) -> Result<(Space, Vec<Outside>), SpaceError> {
        let mut space = self.clone();
        let mut outside = Vec::new();
        space.fix_map(config.as_map(), "", &mut outside)?;
        Ok((space, outside))
    }

    /// A configuration with the values given in `config`, the rest as in [`sample`](Space::sample): for a searcher that
    /// decides over the [`variables`](Space::variables) by their paths, and leaves constants and functions to the space.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let space = Space::new()
    ///     .with("net", Space::new().with("depth", int(1, 5)).with("kind", "mlp"))
    ///     .with("steps", depends(|values| values.integer("net/depth").map(|depth| depth * 100)));
    /// let config = space.complete(&Config::new().with("net/depth", 3), 7, 0)?;
    /// assert_eq!(config.to_string(), r#"{"net":{"depth":3,"kind":"mlp"},"steps":300}"#);
    /// # Ok::<(), SpaceError>(())
    /// ```
    ///
    /// # Errors
    /// If the space doesn't have one of the keys, or as in [`sample`](Space::sample).
    pub fn complete(&self, config: &Config, seed: u64, number: u64) -> Result<Config, SpaceError> {
        let (space, _) = self.fix(config)?;
        let point = number % space.grid_size().max(1);
        space.variant(&Source::new(seed, number), point, self)
    }

    fn fix_map(&mut self, map: &Map<String, Value>, path: &str, outside: &mut Vec<Outside>) -> Result<(), SpaceError> {
        map.iter().try_for_each(|(key, value)| {
            let parts: Vec<&str> = key.split('/').collect();
            self.fix_parts(&parts, value, path, outside)
        })
    }

    fn fix_parts(
        &mut self,
        parts: &[&str],
        value: &Value,
        path: &str,
        outside: &mut Vec<Outside>,
    ) -> Result<(), SpaceError> {
        let [first, rest @ ..] = parts else { return Ok(()) };
        let key = join(path, first);
        match self.entries.get_mut(*first) {
            Some(domain) => domain.fix_parts(rest, value, &key, outside),
            None => Err(SpaceError::UnknownKey { key, known: self.keys().map(str::to_owned).collect() }),
        }
    }
}

impl Domain {
    fn fix_parts(
        &mut self,
        parts: &[&str],
        value: &Value,
        path: &str,
        outside: &mut Vec<Outside>,
    ) -> Result<(), SpaceError> {
        // A constant map is opened, so that fixing one of its names keeps the others.
        if let Domain::Constant(Value::Object(map)) = self
            && (!parts.is_empty() || value.is_object())
        {
            let entries = map.iter().map(|(key, value)| (key.clone(), Domain::Constant(value.clone()))).collect();
            *self = Domain::Map(Space { entries });
        }
        match (&mut *self, parts, value) {
            (Domain::Map(space), [], Value::Object(map)) => return space.fix_map(map, path, outside),
            (Domain::List(items), [], Value::Array(values)) if items.len() == values.len() => {
                let mut both = items.iter_mut().zip(values).enumerate();
                return both
                    .try_for_each(|(index, (item, value))| item.fix_parts(&[], value, &join(path, &index), outside));
            }
            (Domain::Map(space), [_, ..], _) => return space.fix_parts(parts, value, path, outside),
            (Domain::List(items), [first, rest @ ..], _) => {
                let key = join(path, first);
                let length = items.len();
                return match first.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                    Some(item) => item.fix_parts(rest, value, &key, outside),
                    None => {
                        Err(SpaceError::UnknownKey { key, known: (0..length).map(|index| index.to_string()).collect() })
                    }
                };
            }
            (_, [first, ..], _) => {
                return Err(SpaceError::UnknownKey { key: join(path, first), known: Vec::new() });
            }
            (_, [], _) => {}
        }
        outside.extend(self.holds(value, path).err());
        *self = Domain::Constant(value.clone());
        Ok(())
    }
}
