//! The objects that stand for something else, known by all of their keys.

use plugin_api::value::{Date, DecodeError, Visit, walk};

/// What an object stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    /// `{"$date":…}`
    Date,
    /// `{"$InfNaN":…}`
    Number,
    /// `{"$binary":…}`
    Bytes,
    /// `{"$escape":…}`: the object in it stands for itself.
    Escape,
    /// `{"$regexp":…,"$flags":…}` and `{"$type":…,"$value":…}`, for which there is no value.
    Other,
}

pub(crate) const DATE: &str = "$date";
pub(crate) const NUMBER: &str = "$InfNaN";
pub(crate) const BYTES: &str = "$binary";
pub(crate) const ESCAPE: &str = "$escape";

/// The keys by their place in a [`Keys`].
const NAMES: [&str; 8] = [DATE, NUMBER, BYTES, ESCAPE, "$regexp", "$flags", "$type", "$value"];

/// Which keys an object has: a bit for each of [`NAMES`], and one for all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Keys(u16);

impl Keys {
    const OTHERS: u16 = 1 << NAMES.len();

    pub(crate) fn insert(&mut self, key: &str) {
        // Nearly all keys are others, and this tells it by a byte.
        let place = if key.starts_with('$') { NAMES.iter().position(|name| *name == key) } else { None };
        self.0 |= place.map_or(Self::OTHERS, |place| 1 << place);
    }

    /// What an object with exactly these keys stands for, if it isn't itself.
    pub(crate) fn special(self) -> Option<Special> {
        match self.0 {
            0b0000_0001 => Some(Special::Date),
            0b0000_0010 => Some(Special::Number),
            0b0000_0100 => Some(Special::Bytes),
            0b0000_1000 => Some(Special::Escape),
            0b0011_0000 | 0b1100_0000 => Some(Special::Other),
            _ => None,
        }
    }
}

/// What there is in an encoded value, looked through before it is converted: JSON says the keys of an object one by one, and what it
/// stands for is known with the last.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// How many values it has, nested ones counted.
    pub(crate) values: usize,
    /// How deep arrays and objects lie in each other.
    pub(crate) depth: usize,
    /// The keys of each object, in the order in which they begin.
    pub(crate) objects: Vec<Keys>,
    /// Whether it has a value that JSON lacks.
    pub(crate) beyond_json: bool,
    /// The objects that aren't at their end.
    open: Vec<usize>,
    /// How many arrays and objects aren't at their end.
    nested: usize,
}

impl Survey {
    /// Of an encoded value.
    pub(crate) fn of(encoded: &[u8]) -> Result<Self, DecodeError> {
        let mut survey = Self::default();
        walk(encoded, &mut survey)?;
        Ok(survey)
    }

    /// Whether an object stands for something else.
    pub(crate) fn has_special(&self) -> bool {
        self.objects.iter().any(|keys| keys.special().is_some())
    }

    fn begin(&mut self) {
        self.values += 1;
        self.nested += 1;
        self.depth = self.depth.max(self.nested);
    }
}

macro_rules! counted {
    ($($method:ident($($argument:ty)?);)*) => {
        $(fn $method(&mut self, $(_: $argument)?) -> Result<(), DecodeError> {
            self.values += 1;
            Ok(())
        })*
    };
}

impl Visit for Survey {
    type Error = DecodeError;

    counted! {
        null();
        bool(bool);
        i64(i64);
        u64(u64);
        str(&str);
    }

    fn f64(&mut self, value: f64) -> Result<(), DecodeError> {
        self.values += 1;
        self.beyond_json |= !value.is_finite();
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> Result<(), DecodeError> {
        self.values += 1;
        self.beyond_json = true;
        Ok(())
    }

    fn date(&mut self, _: Date) -> Result<(), DecodeError> {
        self.values += 1;
        self.beyond_json = true;
        Ok(())
    }

    fn begin_array(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        self.begin();
        Ok(())
    }

    fn end_array(&mut self) -> Result<(), DecodeError> {
        self.nested -= 1;
        Ok(())
    }

    fn begin_object(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        self.begin();
        self.open.push(self.objects.len());
        self.objects.push(Keys::default());
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), DecodeError> {
        if let Some(object) = self.open.last() {
            self.objects[*object].insert(key);
        }
        Ok(())
    }

    fn end_object(&mut self) -> Result<(), DecodeError> {
        self.nested -= 1;
        self.open.pop();
        Ok(())
    }
}
