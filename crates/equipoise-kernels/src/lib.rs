#![doc = include_str!("../README.md")]

pub mod attention;
pub mod crew;
pub mod gemm;
pub mod ops;
pub mod rows;
pub mod runtime;
pub mod simd;
