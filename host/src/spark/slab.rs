//! Where a shard keeps its sparks: slots with generations, so that an old handle names nobody.

use plugin_api::SparkId;

use super::Spark;

/// The sparks of one shard.
pub struct Slab {
    shard: u8,
    slots: Vec<Slot>,
    free: Vec<u32>,
    len: usize,
}

struct Slot {
    /// Of the spark in it, or of the next one.
    generation: u32,
    spark: Option<Box<Spark>>,
}

/// A generation has 24 bits; 0 is none, since no handle may be 0.
const GENERATIONS: u32 = 0xff_ffff;

impl Slot {
    /// The handle of the spark in it names nobody from now on.
    fn pass_on(&mut self) {
        self.generation = if self.generation >= GENERATIONS { 1 } else { self.generation + 1 };
    }
}

impl Slab {
    /// Without sparks.
    pub fn new(shard: u8) -> Self {
        Self { shard, slots: Vec::new(), free: Vec::new(), len: 0 }
    }

    /// As another process had it: its slots, the sparks in some of them, and those whose end is still to be told. `None` where
    /// these don't fit together.
    pub fn furnished(shard: u8, generations: &[u32], sparks: Vec<(SparkId, Spark)>, departed: &[SparkId]) -> Option<Self> {
        let slots = generations.iter().map(|generation| Slot { generation: *generation, spark: None }).collect();
        let mut slab = Self { shard, slots, free: Vec::new(), len: sparks.len() + departed.len() };
        let mut used = std::collections::HashSet::new();
        for (id, spark) in sparks {
            if !used.insert(id.slot()) || !slab.has_slot(id) {
                return None;
            }
            slab.slots[id.slot() as usize].spark = Some(Box::new(spark));
        }
        for id in departed {
            if !used.insert(id.slot()) || !slab.has_slot(*id) {
                return None;
            }
            slab.slots[id.slot() as usize].pass_on();
        }
        if slab.slots.iter().any(|slot| !(1..=GENERATIONS).contains(&slot.generation)) {
            return None;
        }
        slab.free = (0..u32::try_from(slab.slots.len()).ok()?).rev().filter(|slot| !used.contains(slot)).collect();
        Some(slab)
    }

    fn has_slot(&self, id: SparkId) -> bool {
        let slot = self.slots.get(id.slot() as usize);
        id.shard() == self.shard && slot.is_some_and(|slot| slot.generation == id.generation())
    }

    /// The generation of each slot's spark, or of its next one.
    pub fn generations(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().map(|slot| slot.generation)
    }

    /// The handle that the next spark will have.
    pub fn next_id(&mut self) -> SparkId {
        let slot = match self.free.last() {
            Some(&slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 sparks fit into memory");
                self.slots.push(Slot { generation: 1, spark: None });
                self.free.push(slot);
                slot
            }
        };
        let generation = self.slots[slot as usize].generation;
        SparkId::from_parts(self.shard, slot, generation).expect("generations begin at 1")
    }

    /// Puts a spark where [`Slab::next_id`] said.
    pub fn insert(&mut self, id: SparkId, spark: Spark) {
        let at = self.free.pop();
        assert_eq!(at, Some(id.slot()), "the id was not the last of next_id");
        self.slots[id.slot() as usize].spark = Some(Box::new(spark));
        self.len += 1;
    }

    /// The spark of a handle.
    #[inline]
    pub fn get_mut(&mut self, id: SparkId) -> Option<&mut Spark> {
        debug_assert_eq!(id.shard(), self.shard, "another shard's spark");
        let slot = self.slots.get_mut(id.slot() as usize)?;
        if slot.generation != id.generation() {
            return None;
        }
        slot.spark.as_deref_mut()
    }

    /// The spark of a handle, to be looked at.
    pub fn get(&self, id: SparkId) -> Option<&Spark> {
        let slot = self.slots.get(id.slot() as usize).filter(|slot| slot.generation == id.generation())?;
        slot.spark.as_deref()
    }

    /// The handle of the spark in a slot.
    pub fn id_at(&self, slot: u32) -> Option<SparkId> {
        let found = self.slots.get(slot as usize)?;
        found.spark.as_ref()?;
        SparkId::from_parts(self.shard, slot, found.generation)
    }

    /// Takes a spark out; its handle names nobody from now on. Its slot is kept until it is released.
    pub fn remove(&mut self, id: SparkId) -> Option<Box<Spark>> {
        self.get_mut(id)?;
        let slot = &mut self.slots[id.slot() as usize];
        slot.pass_on();
        slot.spark.take()
    }

    /// Gives the slot of a spark that was taken out to the next one.
    pub fn release(&mut self, id: SparkId) {
        self.free.push(id.slot());
        self.len -= 1;
    }

    /// All handles.
    pub fn ids(&self) -> Vec<SparkId> {
        (0..self.slots.len() as u32).filter_map(|slot| self.id_at(slot)).collect()
    }

    /// Whether there are no sparks and no slots that are kept.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
