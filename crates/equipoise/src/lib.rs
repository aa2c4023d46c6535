#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "advantages")]
#[doc(inline)]
pub use equipoise_advantages as advantages;
#[cfg(feature = "aggregation")]
#[doc(inline)]
pub use equipoise_aggregation as aggregation;
#[cfg(feature = "core")]
#[doc(inline)]
pub use equipoise_core as core;
#[cfg(feature = "data")]
#[doc(inline)]
pub use equipoise_data as data;
#[cfg(feature = "eval")]
#[doc(inline)]
pub use equipoise_eval as eval;
#[cfg(feature = "kernels")]
#[doc(inline)]
pub use equipoise_kernels as kernels;
#[cfg(feature = "models")]
#[doc(inline)]
pub use equipoise_models as models;
#[cfg(feature = "objectives")]
#[doc(inline)]
pub use equipoise_objectives as objectives;
#[cfg(feature = "optim")]
#[doc(inline)]
pub use equipoise_optim as optim;
#[cfg(feature = "samplers")]
#[doc(inline)]
pub use equipoise_samplers as samplers;
#[cfg(feature = "tracking")]
#[doc(inline)]
pub use equipoise_tracking as tracking;
#[cfg(feature = "trainer")]
#[doc(inline)]
pub use equipoise_trainer as trainer;
#[cfg(feature = "verifiers")]
#[doc(inline)]
pub use equipoise_verifiers as verifiers;
