//! The rules: what each is for, and what to do about what it finds.

use std::fmt;

/// A rule of the linter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// A family has no help text.
    MissingHelp,
    /// A name has a unit that is no base unit.
    BaseUnit,
    /// A counter lacks the suffix `_total`, or another type has it.
    Total,
    /// A name ends in `_bucket`, `_count` or `_sum`, which histograms and summaries use.
    ReservedSuffix,
    /// A label is named `le` or `quantile`, which histograms and summaries use.
    ReservedLabel,
    /// A name has the word for a type in it.
    TypeInName,
    /// A name has a colon in it.
    Colon,
    /// A name is written in camel case.
    CamelCase,
    /// A name has an abbreviated unit in it.
    AbbreviatedUnit,
    /// A page gives a series twice.
    Duplicate,
    /// A family has very many series.
    Cardinality,
    /// A label looks like an id.
    IdLabel,
    /// A name says what is measured, but not in which unit.
    MissingUnit,
    /// A counter has a value from which no rate can be told.
    UselessCounter,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 14] = [
        Self::MissingHelp,
        Self::BaseUnit,
        Self::Total,
        Self::ReservedSuffix,
        Self::ReservedLabel,
        Self::TypeInName,
        Self::Colon,
        Self::CamelCase,
        Self::AbbreviatedUnit,
        Self::Duplicate,
        Self::Cardinality,
        Self::IdLabel,
        Self::MissingUnit,
        Self::UselessCounter,
    ];

    /// A short name, to switch the rule off by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingHelp => "missing-help",
            Self::BaseUnit => "base-unit",
            Self::Total => "total",
            Self::ReservedSuffix => "reserved-suffix",
            Self::ReservedLabel => "reserved-label",
            Self::TypeInName => "type-in-name",
            Self::Colon => "colon",
            Self::CamelCase => "camel-case",
            Self::AbbreviatedUnit => "abbreviated-unit",
            Self::Duplicate => "duplicate",
            Self::Cardinality => "cardinality",
            Self::IdLabel => "id-label",
            Self::MissingUnit => "missing-unit",
            Self::UselessCounter => "useless-counter",
        }
    }

    /// Why the rule is there.
    pub const fn why(self) -> &'static str {
        match self {
            Self::MissingHelp => {
                "whoever meets the metric in a query has only its help text to learn what it means"
            }
            Self::BaseUnit => {
                "metrics in one unit can be compared and added; Prometheus uses base units, and \
                 dashboards scale them"
            }
            Self::Total => {
                "the suffix tells people and tools that only the rate of a value means something, \
                 and OpenMetrics has no counter without it"
            }
            Self::ReservedSuffix => {
                "the samples of histograms and summaries have these suffixes, so that others are \
                 mistaken for them or clash with them"
            }
            Self::ReservedLabel => {
                "queries such as histogram_quantile() give these labels a meaning of their own"
            }
            Self::TypeInName => "the type is known from TYPE, and the name outlives a change of it",
            Self::Colon => "colons mark the results of recording rules",
            Self::CamelCase => {
                "names in one style can be guessed and typed; Prometheus uses snake_case"
            }
            Self::AbbreviatedUnit => {
                "an abbreviation can be read in several ways: m is a metre, a minute and a million"
            }
            Self::Duplicate => "a server keeps the first value and drops the others",
            Self::Cardinality => {
                "each series costs the server memory and each query over the family time, on every \
                 target that exports it"
            }
            Self::IdLabel => {
                "each new id is a new series that is kept for as long as the data is: that is the \
                 usual way to overload a server"
            }
            Self::MissingUnit => "a reader cannot tell seconds from milliseconds",
            Self::UselessCounter => {
                "rate() and increase() expect a counter to grow from 0 and to fall only when it \
                 restarts: from other values they tell nonsense"
            }
        }
    }

    /// What to do about it.
    pub const fn mend(self) -> &'static str {
        match self {
            Self::MissingHelp => "give the metric a help text of one sentence",
            Self::BaseUnit => "convert the value to the base unit and rename the metric",
            Self::Total => {
                "end the names of counters in `_total` and those of no other type; export what may \
                 fall as a gauge"
            }
            Self::ReservedSuffix => "choose another last word, such as `_total` for a count",
            Self::ReservedLabel => "rename the label, or export a histogram or summary",
            Self::TypeInName => "leave the word for the type out of the name",
            Self::Colon => "use an underscore",
            Self::CamelCase => "write words in lower case with underscores between them",
            Self::AbbreviatedUnit => "spell the unit out, as in `_seconds` or `_bytes`",
            Self::Duplicate => {
                "export each set of labels once, or add the label that tells the series apart"
            }
            Self::Cardinality => {
                "drop a label, group its values, or set a cardinality limit on the family"
            }
            Self::IdLabel => "put the id into logs, traces or an exemplar, and drop the label",
            Self::MissingUnit => "end the name in the base unit, such as `_seconds` or `_bytes`",
            Self::UselessCounter => {
                "count up from 0 and add nothing negative or NaN; export what may fall as a gauge"
            }
        }
    }

    /// Whether promlint has the rule too, with the same text.
    pub const fn is_promlint(self) -> bool {
        match self {
            Self::MissingHelp
            | Self::BaseUnit
            | Self::Total
            | Self::ReservedSuffix
            | Self::ReservedLabel
            | Self::TypeInName
            | Self::Colon
            | Self::CamelCase
            | Self::AbbreviatedUnit
            | Self::Duplicate => true,
            Self::Cardinality | Self::IdLabel | Self::MissingUnit | Self::UselessCounter => false,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
