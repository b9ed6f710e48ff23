//! Checks a space before anything runs, and lists its variables for searchers that model them.

use super::Space;
use super::domain::Domain;
use super::error::SpaceError;
use super::function::join;

/// One value of a space that isn't constant.
#[derive(Clone, Debug)]
pub struct Variable<'a> {
    /// Its path, levels joined with `/`, list elements by their index.
    pub path: String,
    /// What it may be.
    pub domain: &'a Domain,
    /// It exists only if each of these choices and grids, given by its path, took the option of that number.
    pub when: Vec<(String, usize)>,
}

/// Where the walk through a space is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Open,
    InChoice,
}

impl Space {
    /// Looks for everything that could go wrong later: bad names, bounds and quanta, missing options, grids inside of
    /// choices. Also draws one configuration, so that values which depend on themselves are found now.
    ///
    /// # Errors
    /// The first problem, with the path of the value, what stands there and what must.
    pub fn check(&self) -> Result<(), SpaceError> {
        self.check_at("", Place::Open)?;
        if self.grid_size() == u64::MAX {
            return Err(SpaceError::TooManyPoints);
        }
        self.sample(0, 0).map(drop)
    }

    fn check_at(&self, path: &str, place: Place) -> Result<(), SpaceError> {
        for (name, domain) in self.iter() {
            let key = join(path, &name);
            if name.is_empty() || name.contains('/') {
                return Err(SpaceError::Name { key, name: name.to_owned() });
            }
            domain.check_at(&key, place)?;
        }
        Ok(())
    }

    /// All values that aren't constant, sorted by path. Those inside the options of a choice or grid follow it, and say
    /// which option they belong to.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let adam = Space::new().with("beta", uniform(0.8, 1.0));
    /// let space = Space::new().with("lr", log_uniform(1e-4, 1e-1)).with("optimizer", choice([Space::new(), adam]));
    /// let paths: Vec<String> = space.variables().into_iter().map(|variable| variable.path).collect();
    /// assert_eq!(paths, ["lr", "optimizer", "optimizer/beta"]);
    /// assert_eq!(space.variables()[2].when, [("optimizer".to_owned(), 1)]);
    /// ```
    pub fn variables(&self) -> Vec<Variable<'_>> {
        let mut found = Vec::new();
        self.collect("", &mut Vec::new(), &mut found);
        found
    }

    fn collect<'a>(&'a self, path: &str, when: &mut Vec<(String, usize)>, found: &mut Vec<Variable<'a>>) {
        for (name, domain) in self.iter() {
            domain.collect(&join(path, &name), when, found);
        }
    }
}

impl Domain {
    /// The problem of this domain alone, without what is nested in it.
    pub(super) fn check_alone(&self, key: &str) -> Result<(), SpaceError> {
        let problem = match self {
            Domain::Float(range) => range.problem(),
            Domain::Normal(normal) => normal.problem(),
            Domain::Int(range) => range.problem(),
            Domain::Choice(options) if options.is_empty() => {
                return Err(SpaceError::Empty { key: key.to_owned(), what: "choice" });
            }
            Domain::Grid(grid) if grid.options().is_empty() => {
                return Err(SpaceError::Empty { key: key.to_owned(), what: "grid" });
            }
            _ => None,
        };
        problem.map_or(Ok(()), |(setting, value, expected)| {
            Err(SpaceError::Setting { key: key.to_owned(), setting, value, expected })
        })
    }

    fn check_at(&self, key: &str, place: Place) -> Result<(), SpaceError> {
        self.check_alone(key)?;
        match self {
            Domain::Map(space) => space.check_at(key, place),
            Domain::List(items) => {
                items.iter().enumerate().try_for_each(|(index, item)| item.check_at(&join(key, &index), place))
            }
            Domain::Choice(options) => options.iter().try_for_each(|option| option.check_at(key, Place::InChoice)),
            Domain::Grid(_) if place == Place::InChoice => Err(SpaceError::GridInChoice { key: key.to_owned() }),
            Domain::Grid(grid) => grid.options().iter().try_for_each(|option| option.check_at(key, place)),
            _ => Ok(()),
        }
    }

    fn collect<'a>(&'a self, path: &str, when: &mut Vec<(String, usize)>, found: &mut Vec<Variable<'a>>) {
        let options = match self {
            Domain::Constant(_) => return,
            Domain::Map(space) => return space.collect(path, when, found),
            Domain::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect(&join(path, &index), when, found);
                }
                return;
            }
            Domain::Choice(options) => options,
            Domain::Grid(grid) => grid.options(),
            _ => &[],
        };
        found.push(Variable { path: path.to_owned(), domain: self, when: when.clone() });
        for (index, option) in options.iter().enumerate() {
            when.push((path.to_owned(), index));
            option.collect(path, when, found);
            when.pop();
        }
    }
}
