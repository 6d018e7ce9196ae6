//! Whether a value is more than the limits allow. Most are so short that they can't be, and are not looked at.

use json_text::decode::DEPTH_LIMIT;
use plugin_api::value::{Date, DecodeError, Visit, walk};
use tokens::{Fault, Limits};

/// Checks the value that a text was decoded to.
///
/// # Errors
///
/// It has too many values, or arrays and objects lie too deep in each other.
pub fn check(wire: &[u8], encoded: &[u8], limits: &Limits) -> Result<(), Fault> {
    // A value takes a byte, and what parts it from the next one another; a level of depth takes two brackets.
    let may_be_many = wire.len() / 2 >= limits.max_values;
    let may_be_deep = limits.max_depth < DEPTH_LIMIT && wire.len() / 2 > limits.max_depth;
    if !(may_be_many || may_be_deep) {
        return Ok(());
    }
    let mut measure = Measure { values: 0, nested: 0, limits };
    walk(encoded, &mut measure).map_err(|error| match error {
        Excess::Limit(fault) => fault,
        Excess::Value(error) => Fault::Malformed(error.to_string().into()),
    })
}

/// Why a value is not walked to its end.
#[derive(Debug, thiserror::Error)]
enum Excess {
    #[error(transparent)]
    Limit(#[from] Fault),
    #[error(transparent)]
    Value(#[from] DecodeError),
}

struct Measure<'l> {
    values: usize,
    nested: usize,
    limits: &'l Limits,
}

impl Measure<'_> {
    fn one_more(&mut self) -> Result<(), Excess> {
        self.values += 1;
        let limit = self.limits.max_values;
        if self.values > limit { Err(Fault::Values { limit }.into()) } else { Ok(()) }
    }

    fn begin(&mut self) -> Result<(), Excess> {
        self.nested += 1;
        let limit = self.limits.max_depth;
        if self.nested > limit {
            return Err(Fault::Depth { limit }.into());
        }
        self.one_more()
    }

    fn end(&mut self) -> Result<(), Excess> {
        self.nested -= 1;
        Ok(())
    }
}

macro_rules! counted {
    ($($method:ident($($argument:ty)?);)*) => {
        $(fn $method(&mut self, $(_: $argument)?) -> Result<(), Excess> {
            self.one_more()
        })*
    };
}

impl Visit for Measure<'_> {
    type Error = Excess;

    counted! {
        null();
        bool(bool);
        i64(i64);
        u64(u64);
        f64(f64);
        str(&str);
        bytes(&[u8]);
        date(Date);
    }

    fn begin_array(&mut self, _: Option<usize>) -> Result<(), Excess> {
        self.begin()
    }

    fn end_array(&mut self) -> Result<(), Excess> {
        self.end()
    }

    fn begin_object(&mut self, _: Option<usize>) -> Result<(), Excess> {
        self.begin()
    }

    fn key(&mut self, _: &str) -> Result<(), Excess> {
        Ok(())
    }

    fn end_object(&mut self) -> Result<(), Excess> {
        self.end()
    }
}
