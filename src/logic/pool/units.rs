//! Resources as people and other programs write them, in units: `{"cpu": 4, "gpu": 0.5}`, GPUs also by their indices:
//! `{"gpu": [2, 3]}`. For `#[serde(with = "units")]`; the journal has its own form.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::request::ResourceRequest;
pub(crate) use super::resources::Written;
use super::resources::{Amount, ResourceError, Resources};

/// What can be written in units.
pub(crate) trait InUnits: Sized {
    /// How it is written.
    type Form: Serialize + DeserializeOwned;

    fn form(&self) -> Self::Form;

    fn read(form: Self::Form) -> Result<Self, ResourceError>;
}

impl InUnits for Resources {
    type Form = BTreeMap<String, Written<f64>>;

    fn form(&self) -> Self::Form {
        Written::all(self.clone(), Amount::as_f64)
    }

    fn read(form: Self::Form) -> Result<Self, ResourceError> {
        Written::read(form, Amount::new)
    }
}

/// What a trial needs: amounts, or a list of them if it has several bundles.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected amounts by name, as in {\"cpu\": 1}, or a list of those")]
pub(crate) enum RequestForm {
    One(BTreeMap<String, Written<f64>>),
    Several(Vec<BTreeMap<String, Written<f64>>>),
}

impl InUnits for ResourceRequest {
    type Form = RequestForm;

    fn form(&self) -> RequestForm {
        match self.as_bundles() {
            [only] => RequestForm::One(only.form()),
            several => RequestForm::Several(several.iter().map(InUnits::form).collect()),
        }
    }

    fn read(form: RequestForm) -> Result<Self, ResourceError> {
        let bundles = match form {
            RequestForm::One(bundle) => vec![bundle],
            RequestForm::Several(bundles) => bundles,
        };
        Self::bundles(bundles.into_iter().map(Resources::read).collect::<Result<_, _>>()?)
    }
}

impl<T: InUnits> InUnits for Arc<T> {
    type Form = T::Form;

    fn form(&self) -> T::Form {
        T::form(self)
    }

    fn read(form: T::Form) -> Result<Self, ResourceError> {
        T::read(form).map(Arc::new)
    }
}

impl<T: InUnits> InUnits for Vec<T> {
    type Form = Vec<T::Form>;

    fn form(&self) -> Self::Form {
        self.iter().map(T::form).collect()
    }

    fn read(form: Self::Form) -> Result<Self, ResourceError> {
        form.into_iter().map(T::read).collect()
    }
}

impl<T: InUnits> InUnits for Option<T> {
    type Form = Option<T::Form>;

    fn form(&self) -> Self::Form {
        self.as_ref().map(T::form)
    }

    fn read(form: Self::Form) -> Result<Self, ResourceError> {
        form.map(T::read).transpose()
    }
}

pub(crate) fn serialize<T: InUnits, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.form().serialize(serializer)
}

pub(crate) fn deserialize<'de, T: InUnits, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read(T::Form::deserialize(deserializer)?).map_err(D::Error::custom)
}
