//! Latencies by measure: a place for each measure, found without a search, as every delivery is
//! recorded in several of them.
//!
//! ```text
//! {"delivery":"HISTFAAA..","schedule-lag":"HISTFAAA.."}
//! ```

use std::collections::BTreeMap;
use std::ops::Index;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::latency::{Latencies, Measure};

/// A histogram for each measure that has any sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByMeasure {
    places: [Option<Box<Latencies>>; Measure::ALL.len()],
}

impl ByMeasure {
    pub(crate) fn record(&mut self, measure: Measure, nanoseconds: u64) {
        // There is a place for each measure.
        if let Some(place) = self.places.get_mut(measure as usize) {
            place.get_or_insert_default().record(nanoseconds);
        }
    }

    pub(crate) fn get(&self, measure: Measure) -> Option<&Latencies> {
        self.places.get(measure as usize)?.as_deref()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.places.iter_mut().zip(&other.places) {
            if let Some(theirs) = theirs {
                ours.get_or_insert_default().merge(theirs);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Measure, &Latencies)> {
        Measure::ALL.into_iter().filter_map(|measure| Some((measure, self.get(measure)?)))
    }
}

impl Index<&Measure> for ByMeasure {
    type Output = Latencies;

    /// Panics where a measure has no sample.
    fn index(&self, measure: &Measure) -> &Latencies {
        self.get(*measure).unwrap_or_else(|| panic!("there is no {}", measure.title()))
    }
}

impl Serialize for ByMeasure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for ByMeasure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Self::default();
        for (measure, latencies) in BTreeMap::<Measure, Latencies>::deserialize(deserializer)? {
            if let Some(place) = all.places.get_mut(measure as usize) {
                *place = Some(Box::new(latencies));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_measure_has_the_place_of_its_number() {
        for (place, measure) in Measure::ALL.into_iter().enumerate() {
            assert_eq!(measure as usize, place, "{measure:?}");
        }
    }

    #[test]
    fn what_was_recorded_survives_its_way_between_processes() {
        let mut all = ByMeasure::default();
        all.record(Measure::Delivery, 1_000);
        all.record(Measure::ReceiveLag, 2_000);
        let text = serde_json::to_string(&all).unwrap();
        assert!(text.starts_with("{\"delivery\":\"HIST"), "{text}");
        let mut again: ByMeasure = serde_json::from_str(&text).unwrap();
        again.merge(&all);
        let counts: Vec<(Measure, u64)> =
            again.iter().map(|(measure, latencies)| (measure, latencies.count())).collect();
        assert_eq!(counts, [(Measure::Delivery, 2), (Measure::ReceiveLag, 2)]);
    }
}
