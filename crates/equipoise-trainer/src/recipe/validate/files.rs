//! The ranges and contradictions of `[data]` where problems are read from files.

use std::collections::BTreeMap;

use equipoise_data::{ProblemSchema, RowSchema as _};

use super::super::data::DataSection;
use super::super::files::{Deduplicate, FilterSection, OnBadRow};
use super::Checker;

/// The place of what is asked in a template.
const PLACE: &str = "{prompt}";

impl Checker {
    pub(super) fn files(&mut self, data: &DataSection) {
        if !data.has_files() {
            let of_file = "without `path`";
            self.no_effect("columns", data.columns.is_some(), of_file);
            self.no_effect("answer_after", data.answer_after.is_some(), of_file);
            self.no_effect("extra_columns", data.extra_columns.is_some(), of_file);
            self.no_effect("on_bad_row", data.on_bad_row.is_some(), of_file);
            self.no_effect("max_bad_share", data.max_bad_share.is_some(), of_file);
            self.no_effect("prompt_template", data.prompt_template.is_some(), of_file);
            self.no_effect("system", data.system.is_some(), of_file);
            self.no_effect("deduplicate", data.deduplicate.is_some(), of_file);
            self.no_effect("near_similarity", data.near_similarity.is_some(), of_file);
            self.no_effect("near_words", data.near_words.is_some(), of_file);
            self.no_effect("filter", data.filter.is_some(), of_file);
            return;
        }
        self.that(
            data.path.is_none() || data.sources.is_none(),
            "sources",
            || "either `path`, for one file, or `sources`, for several, not both".into(),
        );
        self.mapping("", data.columns.as_ref(), data.answer_after.as_deref());
        self.sources(data);
        if data.on_bad_row != Some(OnBadRow::Skip) {
            let reason = "without `on_bad_row = \"skip\"`";
            self.no_effect("max_bad_share", data.max_bad_share.is_some(), reason);
        } else if let Some(share) = data.max_bad_share {
            self.within("max_bad_share", share, 0.0..=1.0);
        }
        if let Some(template) = &data.prompt_template {
            self.that(template.contains(PLACE), "prompt_template", || {
                format!("is {template:?}; it must hold {PLACE}, the place of what is asked")
            });
        }
        if data.deduplicate != Some(Deduplicate::Near) {
            let reason = "without `deduplicate = \"near\"`";
            self.no_effect("near_similarity", data.near_similarity.is_some(), reason);
            self.no_effect("near_words", data.near_words.is_some(), reason);
        }
        if let Some(similarity) = data.near_similarity {
            let holds = similarity > 0.0 && similarity <= 1.0;
            self.that(holds, "near_similarity", || {
                format!("is {similarity}; it must be above 0 and at most 1")
            });
        }
        self.at_least("near_words", data.near_words.unwrap_or(1), 1);
        if let Some(filter) = &data.filter {
            self.filter(filter);
        }
    }

    fn sources(&mut self, data: &DataSection) {
        let Some(sources) = &data.sources else {
            return;
        };
        self.that(!sources.is_empty(), "sources", || {
            "is empty; name at least one file".into()
        });
        let weighted = sources
            .iter()
            .filter(|source| source.weight.is_some())
            .count();
        self.that(
            weighted == 0 || weighted == sources.len(),
            "sources",
            || {
                format!(
                    "{weighted} of {} have a weight; give every source one, or none",
                    sources.len()
                )
            },
        );
        for (index, source) in sources.iter().enumerate() {
            let place = format!("sources[{index}].");
            if let Some(weight) = source.weight {
                self.positive(&format!("{place}weight"), weight);
            }
            self.mapping(
                &place,
                source.columns.as_ref(),
                source.answer_after.as_deref(),
            );
        }
    }

    fn mapping(
        &mut self,
        place: &str,
        columns: Option<&BTreeMap<String, String>>,
        answer_after: Option<&str>,
    ) {
        let known = ProblemSchema::default().columns();
        for name in columns.into_iter().flat_map(BTreeMap::keys) {
            let key = format!("{place}columns.{name}");
            self.that(known.contains(&name.as_str()), &key, || {
                format!("is no column; the columns are {}", known.join(", "))
            });
        }
        let marker = answer_after.is_none_or(|marker| !marker.trim().is_empty());
        self.that(marker, &format!("{place}answer_after"), || {
            "is empty; it must be a marker such as \"####\"".into()
        });
    }

    fn filter(&mut self, filter: &FilterSection) {
        let (min, max) = (filter.min_prompt_characters, filter.max_prompt_characters);
        if let (Some(min), Some(max)) = (min, max) {
            self.that(min <= max, "filter.min_prompt_characters", || {
                format!("is {min}; it must be at most max_prompt_characters = {max}")
            });
        }
        for (column, values) in filter.one_of.iter().flatten() {
            self.that(
                !values.is_empty(),
                &format!("filter.one_of.{column}"),
                || "is empty; name at least one value that is kept".into(),
            );
        }
    }
}
