//! Where a collector puts its families until it is done.

use narthex_model::{FamilyBuilder, MetricFamily, Number};

use crate::error::CollectError;

/// The families of one collector; they are served if it succeeds as a whole.
#[derive(Debug, Default)]
pub(crate) struct Page {
    families: Vec<MetricFamily>,
}

impl Page {
    /// Adds a family, unless it has no series.
    pub(crate) fn push(&mut self, builder: FamilyBuilder) -> Result<(), CollectError> {
        let family = builder.build()?;
        if !family.is_empty() {
            self.families.push(family);
        }
        Ok(())
    }

    /// Adds a family of one series without labels.
    pub(crate) fn single(
        &mut self,
        builder: FamilyBuilder,
        value: impl Into<Number>,
    ) -> Result<(), CollectError> {
        self.push(builder.sample([""; 0], value))
    }

    pub(crate) fn into_families(self) -> Vec<MetricFamily> {
        self.families
    }
}

/// `count` things of size `size` each: exact where that can be.
pub(crate) fn scaled(count: u64, size: u64) -> Number {
    match count.checked_mul(size) {
        Some(product) => Number::Unsigned(product),
        None => Number::Float(count as f64 * size as f64),
    }
}

/// A number that the kernel prints signed.
pub(crate) fn signed(text: &str) -> Option<Number> {
    match text.parse::<u64>() {
        Ok(number) => Some(Number::Unsigned(number)),
        Err(_) => text.parse::<i64>().ok().map(|number| Number::Float(number as f64)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use narthex_model::{MetricFamily, Number, Value};

    use super::{Page, scaled, signed};

    /// Families as lines of `name{label="value"} number`, sorted.
    pub(crate) fn lines(families: &[MetricFamily]) -> Vec<String> {
        let mut lines = Vec::new();
        for family in families {
            for metric in family.metrics() {
                let labels: Vec<_> =
                    metric.labels().map(|(name, value)| format!("{name}={value:?}")).collect();
                let Value::Number(number) = metric.value() else {
                    unreachable!("this crate has no histograms");
                };
                lines.push(format!("{}{{{}}} {number:?}", family.name(), labels.join(",")));
            }
        }
        lines.sort();
        lines
    }

    /// What a page holds, in the form of [`lines`].
    pub(crate) fn page_lines(page: Page) -> Vec<String> {
        lines(&page.into_families())
    }

    #[test]
    fn products_are_exact_or_floats() {
        assert_eq!(scaled((1 << 53) + 1, 512), Number::Unsigned(((1 << 53) + 1) * 512));
        assert_eq!(scaled(u64::MAX, 2), Number::Float(u64::MAX as f64 * 2.0));
    }

    #[test]
    fn signed_numbers_keep_their_sign() {
        assert_eq!(signed("18446744073709551615"), Some(Number::Unsigned(u64::MAX)));
        assert_eq!(signed("-1"), Some(Number::Float(-1.0)));
        assert_eq!(signed("1.5"), None);
        assert_eq!(signed("NaN"), None);
    }
}
