//! The command `equipoise` as its users meet it: started as a process, judged by its output, its exit
//! code and its files.

mod adapters;
mod arguments;
mod bad_checkpoints;
mod bad_recipes;
mod engine;
mod evaluation;
mod files;
mod full_disk;
mod gsm8k;
mod home;
mod inspect_data;
mod interruption;
mod reproducibility;
mod use_of_a_run;
mod verify;
