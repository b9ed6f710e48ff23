//! Secrets: drawn by the system, shown to nobody who asks for the debug form, compared in constant time.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// A secret as text: 256 bits in hex, unless somebody gave one of theirs.
#[derive(Clone)]
pub(in crate::edge) struct Secret(Arc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    pub(in crate::edge) fn draw() -> std::io::Result<Self> {
        Ok(Self(random_hex::<32>()?.into()))
    }

    #[cfg(feature = "web")]
    pub(in crate::edge) fn given(text: &str) -> Self {
        Self(text.into())
    }

    pub(in crate::edge) fn text(&self) -> &str {
        &self.0
    }

    /// Takes as long for a wrong text as for the right one.
    pub(in crate::edge) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// So many random bytes in hex.
pub(in crate::edge) fn random_hex<const BYTES: usize>() -> std::io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
