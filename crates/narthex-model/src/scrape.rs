//! A scrape: all families of one moment, checked against each other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use crate::escaping::Escaping;
use crate::family::{MergeError, MetricFamily};
use crate::name::MetricName;

/// What `gather()` returns and every format writes: metric families, sorted by name.
///
/// Families of one name are merged, and one that cannot stand beside the others is left out and
/// told of in [`problems`](Self::problems), so that the rest of the page stays whole.
///
/// ```
/// use narthex_model::{MetricFamily, Scrape};
///
/// let scrape = Scrape::new(vec![
///     MetricFamily::gauge("b", "Second.").sample([""; 0], 2.0).build()?,
///     MetricFamily::gauge("a", "First.").sample([""; 0], 1.0).build()?,
/// ]);
/// assert_eq!(scrape.families()[0].name(), "a");
/// assert_eq!(scrape.value("b", &[]), Some(2.0));
/// # Ok::<(), narthex_model::FamilyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    families: Vec<MetricFamily>,
    problems: Vec<Problem>,
}

impl Scrape {
    /// Sorts, merges and checks `families`.
    pub fn new(mut families: Vec<MetricFamily>) -> Self {
        // Stable, so that of two families with one name the first given stays first.
        families.sort_by(|a, b| a.name().cmp(b.name()));
        let mut problems = Vec::new();
        merge_same_names(&mut families, &mut problems);
        drop_escaped_twins(&mut families, &mut problems);
        drop_sample_name_clashes(&mut families, &mut problems);
        Self { families, problems }
    }

    /// The families, sorted by name.
    pub fn families(&self) -> &[MetricFamily] {
        &self.families
    }

    /// The families, for a caller that takes the scrape apart.
    pub fn into_families(self) -> Vec<MetricFamily> {
        self.families
    }

    /// What was left out, and why.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Notes what was left out before the scrape was put together.
    ///
    /// ```
    /// use narthex_model::{MetricName, Problem, Scrape};
    ///
    /// let mut scrape = Scrape::new(Vec::new());
    /// scrape.push_problems([Problem::new(MetricName::new("up")?, "its closure panicked")]);
    /// assert_eq!(scrape.problems().len(), 1);
    /// # Ok::<(), narthex_model::NameError>(())
    /// ```
    pub fn push_problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.extend(problems);
    }

    /// Adds families: merges them with those that are there, and checks all of them together. What
    /// is left out now is told of after what was before.
    ///
    /// ```
    /// use narthex_model::{MetricFamily, Scrape};
    ///
    /// let up = |zone| MetricFamily::gauge("up", "Up.").const_label("zone", zone);
    /// let mut scrape = Scrape::new(vec![up("a").sample([""; 0], 1.0).build()?]);
    /// scrape.push_families([up("b").sample([""; 0], 0.0).build()?]);
    /// assert_eq!((scrape.families().len(), scrape.families()[0].len()), (1, 2));
    /// # Ok::<(), narthex_model::FamilyError>(())
    /// ```
    pub fn push_families(&mut self, families: impl IntoIterator<Item = MetricFamily>) {
        let mut all = std::mem::take(&mut self.families);
        all.extend(families);
        let Self { families, problems } = Self::new(all);
        self.families = families;
        self.problems.extend(problems);
    }

    /// The family of a name.
    pub fn family(&self, name: &str) -> Option<&MetricFamily> {
        let at = self.families.binary_search_by(|family| family.name().as_str().cmp(name)).ok()?;
        self.families.get(at)
    }

    /// The series for which `keep` holds; a family without any is left out.
    ///
    /// ```
    /// use narthex_model::{MetricFamily, Scrape};
    ///
    /// let disks = MetricFamily::gauge("disk_free_bytes", "Free space.").label_names(["disk"]);
    /// let scrape = Scrape::new(vec![
    ///     disks.sample(["sda"], 10.0).sample(["sdb"], 20.0).build()?,
    ///     MetricFamily::gauge("up", "Up.").sample([""; 0], 1.0).build()?,
    /// ]);
    /// let filtered = scrape.filter(|metric| metric.matches(&[("disk", "sdb")]));
    /// assert_eq!(filtered.families().len(), 1);
    /// assert_eq!(filtered.value("disk_free_bytes", &[("disk", "sdb")]), Some(20.0));
    /// # Ok::<(), narthex_model::FamilyError>(())
    /// ```
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&crate::Metric<'_>) -> bool) -> Self {
        let filtered = self.families.iter().map(|family| family.filter(&mut keep));
        let families = filtered.filter(|family| !family.is_empty()).collect();
        Self { families, problems: self.problems.clone() }
    }

    /// The number of the series with exactly these labels, constant ones included, in any order.
    pub fn value(&self, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted = |metric: &crate::Metric<'_>| {
            metric.labels().count() == labels.len()
                && labels
                    .iter()
                    .all(|(name, value)| metric.label(name).is_some_and(|v| v == *value))
        };
        self.family(family)?.metrics().find(wanted)?.number()
    }
}

/// Something that was left out of a scrape, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    family: MetricName,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Unmergeable,
    DuplicateSeries { dropped: usize },
    RepeatedSeries { dropped: usize },
    SampleName { of: MetricName },
    EscapedTwin { of: MetricName },
    InPart(Box<str>),
    Other(Box<str>),
}

impl Problem {
    /// A problem that a collector's owner found.
    pub fn new(family: MetricName, reason: impl fmt::Display) -> Self {
        Self { family, fault: Fault::Other(reason.to_string().into()) }
    }

    /// Series of a family that were given before, and so are left out.
    pub fn repeated_series(family: MetricName, dropped: usize) -> Self {
        Self { family, fault: Fault::RepeatedSeries { dropped } }
    }

    /// Something about a family that is left out, while the family itself is there.
    pub fn in_part(family: MetricName, reason: impl fmt::Display) -> Self {
        Self { family, fault: Fault::InPart(reason.to_string().into()) }
    }

    /// The family at fault.
    pub fn family(&self) -> &MetricName {
        &self.family
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = &self.family;
        match &self.fault {
            Fault::Unmergeable => write!(
                f,
                "family `{family}` was given twice with different types, buckets or labels: \
                 the second is left out"
            ),
            Fault::DuplicateSeries { dropped } => write!(
                f,
                "family `{family}` was given twice: {dropped} series that both have are left out"
            ),
            Fault::RepeatedSeries { dropped } => write!(
                f,
                "family `{family}` has {dropped} series twice: the first of each stands, the rest \
                 are left out"
            ),
            Fault::SampleName { of } => {
                write!(f, "family `{family}` is left out: `{of}` writes samples of that name")
            }
            Fault::EscapedTwin { of } => write!(
                f,
                "family `{family}` is left out: a scraper that does not read UTF-8 names cannot \
                 tell it from `{of}`"
            ),
            Fault::InPart(reason) => write!(f, "family `{family}` is there in part: {reason}"),
            Fault::Other(reason) => write!(f, "family `{family}` is left out: {reason}"),
        }
    }
}

fn merge_same_names(families: &mut Vec<MetricFamily>, problems: &mut Vec<Problem>) {
    if families.windows(2).all(|pair| pair[0].name() != pair[1].name()) {
        return;
    }
    let mut merged: Vec<MetricFamily> = Vec::with_capacity(families.len());
    for group in families.chunk_by(|a, b| a.name() == b.name()) {
        match merge_all(group) {
            Ok((whole, 0)) => merged.push(whole),
            Ok((whole, dropped)) => {
                let fault = Fault::DuplicateSeries { dropped };
                problems.push(Problem { family: whole.name().clone(), fault });
                merged.push(whole);
            }
            Err(_) => merged.push(merge_those_that_fit(group, problems)),
        }
    }
    *families = merged;
}

/// All of them as one, and the number of series that were dropped as duplicates.
///
/// By halves, so that a series is copied a few times and not once for each family after it: every
/// endpoint of an exporter may well have a part of the same family.
fn merge_all(group: &[MetricFamily]) -> Result<(MetricFamily, usize), MergeError> {
    if let [one] = group {
        return Ok((one.clone(), 0));
    }
    let (left, right) = group.split_at(group.len() / 2);
    let ((left, in_left), (right, in_right)) = (merge_all(left)?, merge_all(right)?);
    let (whole, dropped) = left.merge(&right)?;
    Ok((whole, in_left + in_right + dropped))
}

/// The first of them with those that can be one family with it.
fn merge_those_that_fit(group: &[MetricFamily], problems: &mut Vec<Problem>) -> MetricFamily {
    let mut whole = group[0].clone();
    for family in &group[1..] {
        let fault = match whole.merge(family) {
            Ok((larger, dropped)) => {
                whole = larger;
                (dropped > 0).then_some(Fault::DuplicateSeries { dropped })
            }
            Err(_) => Some(Fault::Unmergeable),
        };
        let family = family.name().clone();
        problems.extend(fault.map(|fault| Problem { family, fault }));
    }
    whole
}

/// Drops `a.b` beside `a_b`, and what else some escaping scheme gives one name to: the scrapers
/// that ask for it would see one name twice.
fn drop_escaped_twins(families: &mut Vec<MetricFamily>, problems: &mut Vec<Problem>) {
    if families.iter().all(|family| family.name().is_classic()) {
        return;
    }
    // Classic names come first, for they are what everybody sees.
    let mut by_fame: Vec<MetricName> =
        families.iter().map(|family| family.name().clone()).collect();
    by_fame.sort_by_key(|name| !name.is_classic());
    for scheme in Escaping::ALL {
        let mut taken: HashMap<String, MetricName> = HashMap::new();
        by_fame.retain(|name| match taken.entry(name.escaped(scheme).into_owned()) {
            Entry::Occupied(entry) => {
                families.retain(|other| other.name() != name);
                let fault = Fault::EscapedTwin { of: entry.get().clone() };
                problems.push(Problem { family: name.clone(), fault });
                false
            }
            Entry::Vacant(entry) => {
                entry.insert(name.clone());
                true
            }
        });
    }
}

/// Drops `h_count` beside a histogram `h`: the page would have that sample twice.
fn drop_sample_name_clashes(families: &mut Vec<MetricFamily>, problems: &mut Vec<Problem>) {
    let mut clashes = Vec::new();
    if families.iter().all(|family| family.name().is_classic()) {
        let find = |base: &str| {
            let at = families.binary_search_by(|f| f.name().as_str().cmp(base)).ok()?;
            families.get(at)
        };
        clashes
            .extend(families.iter().filter_map(|f| sample_name_clash(f.name().as_str(), f, find)));
    } else {
        for scheme in Escaping::ALL {
            let by_name: HashMap<_, _> =
                families.iter().map(|family| (family.name().escaped(scheme), family)).collect();
            let find = |base: &str| by_name.get(base).copied();
            clashes.extend(by_name.iter().filter_map(|(name, f)| sample_name_clash(name, f, find)));
        }
        clashes.sort();
        clashes.dedup_by(|a, b| a.0 == b.0);
    }
    for (family, of) in clashes {
        families.retain(|other| *other.name() != family);
        problems.push(Problem { family, fault: Fault::SampleName { of } });
    }
}

/// The name of `family`, which is on the page as `name`, and the family that `find` finds to write
/// samples of that name, if there is one.
fn sample_name_clash<'a>(
    name: &str,
    family: &MetricFamily,
    find: impl Fn(&str) -> Option<&'a MetricFamily>,
) -> Option<(MetricName, MetricName)> {
    const SUFFIXES: [&str; 5] = ["_bucket", "_count", "_sum", "_gcount", "_gsum"];
    SUFFIXES.iter().find_map(|suffix| {
        let owner = find(name.strip_suffix(suffix)?)?;
        let writes = owner.metric_type().sample_suffixes().contains(suffix);
        writes.then(|| (family.name().clone(), owner.name().clone()))
    })
}

#[cfg(test)]
mod tests;
