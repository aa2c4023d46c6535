//! Reading recipes, and the exact text of every way one can be refused.

mod choices;
mod engine;
mod files;
mod pages;
mod ranges;
mod verifier;

use super::*;

/// The least a recipe can say.
const MINIMAL: &str = r#"
name = "minimal"
[model]
hidden_size = 64
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
head_dim = 16
intermediate_size = 128
max_position_embeddings = 128
[data]
task = "arithmetic"
[sampler]
max_new_tokens = 48
[verifier]
kind = "number"
[[stage]]
kind = "sft"
steps = 10
batch_size = 8
learning_rate = 1e-3
[[stage]]
kind = "rl"
steps = 10
prompts_per_step = 8
samples_per_prompt = 4
learning_rate = 1e-4
"#;

fn parse(overrides: &[&str]) -> Result<Recipe, RecipeError> {
    let overrides: Vec<String> = overrides.iter().map(|&set| set.into()).collect();
    Recipe::parse(MINIMAL, "r.toml", &overrides)
}

fn error(overrides: &[&str]) -> String {
    parse(overrides).unwrap_err().to_string()
}

/// The error of the minimal recipe after replacing a text in it.
fn error_with(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from}");
    let text = MINIMAL.replace(from, to);
    let error = Recipe::parse(&text, "r.toml", &[]).unwrap_err();
    error.to_string()
}

fn rl(recipe: &Recipe) -> &RlStage {
    let stages = &mut recipe.stages.iter();
    stages
        .find_map(|stage| match stage {
            Stage::Rl(stage) => Some(stage),
            Stage::Sft(_) => None,
        })
        .unwrap()
}

#[test]
fn defaults_are_resolved() {
    let recipe = parse(&[]).unwrap();
    assert_eq!(recipe.seed, 0);
    assert_eq!(recipe.tracking.runs, Path::new("runs"));
    let Some(DataSource::Arithmetic(task)) = recipe.data.source() else {
        panic!("{:?}", recipe.data);
    };
    assert_eq!(
        (task.operands, task.max_value, task.operators.as_str()),
        ((2, 3), 99, "+-")
    );
    let stage = rl(&recipe);
    assert_eq!(stage.estimator, Choice::named("grpo"));
    assert_eq!(stage.aggregation, Choice::named("balanced"));
    assert_eq!((stage.kl, &stage.kl_aggregation), (None, &None));
    assert_eq!(
        stage.objective.to_string(),
        "ppo_clip (epsilon_high 0.28, epsilon_low 0.2)"
    );
}

#[test]
fn a_resolved_recipe_survives_its_text() {
    let variants: [&[&str]; 10] = [
        &["data={task='calendar_arithmetic',calendar_arithmetic={questions=['add_days']}}"],
        &["data={task='mixture',mixture={components=[{family='code_tasks',difficulty=[1,3]}]}}"],
        &[
            "stage.rl.preset=gspo",
            "stage.rl.objective.epsilon_high=0.5",
        ],
        &["stage.rl.aggregation=dapo", "stage.rl.estimator.std=none"],
        &[],
        &["stage.rl.aggregation=dr_grpo", "seed=9223372036854775807"],
        &[
            "stage.rl.kl_coefficient=0.001",
            "stage.rl.kl_aggregation=dr_grpo",
        ],
        &[
            "stage.sft.schedule=cosine",
            "stage.sft.stop_at_accuracy=0.4",
            "model={path='m'}",
        ],
        &[
            "data={path='p.jsonl',held_out_path='q.jsonl'}",
            "stage.rl.max_grad_norm=inf",
        ],
        &[
            "data.task=countdown",
            "verifier.kind=countdown",
            "stage.rl.learning_rate=3.3333333e-7",
        ],
    ];
    for overrides in variants {
        let recipe = parse(overrides).unwrap();
        let text = recipe.to_toml().unwrap();
        assert_eq!(
            Recipe::parse(&text, "again", &[]).unwrap(),
            recipe,
            "{text}"
        );
        assert_eq!(toml::from_str::<Recipe>(&text).unwrap(), recipe, "{text}");
    }
}

#[test]
fn every_task_has_a_section_of_its_own() {
    for (task, name) in TaskName::ALL {
        assert_eq!(task.name(), name);
        let choice = format!("data.task={name}");
        if task == TaskName::Mixture {
            let wrong = error(&[&choice]);
            assert_eq!(
                wrong,
                "r.toml: data.mixture.components: is []; expected at least one"
            );
            continue;
        }
        let recipe = parse(&[&choice]).unwrap();
        let text = recipe.to_toml().unwrap();
        assert!(text.contains(&format!("[data.{name}]")), "{text}");
        match recipe.data.source().unwrap() {
            DataSource::Generated(found) => {
                assert_eq!(found, task);
                let (_, settings) = &recipe.data.generated()[0];
                assert_eq!(settings.name(), name);
            }
            _ => assert!(matches!(task, TaskName::Arithmetic | TaskName::Countdown)),
        }
    }
    assert_eq!(
        error(&[
            "data.task=number_sorting",
            "data.number_sorting.difficulty=9"
        ]),
        "r.toml: data.number_sorting.difficulty: is 9; expected from 1 to 6"
    );
    assert_eq!(
        error(&[
            "data.task=number_sorting",
            "data.number_sorting.dificulty=2"
        ]),
        "--set data.number_sorting.dificulty=2: unknown key `dificulty` in [data.number_sorting], \
         did you mean `difficulty`?; the keys are difficulty, prompt"
    );
}

#[test]
fn options_that_depend_on_another_get_their_default() {
    let recipe = parse(&[
        "stage.rl.aggregation=dr_grpo",
        "stage.rl.kl_coefficient=0.01",
    ])
    .unwrap();
    let stage = rl(&recipe);
    assert_eq!(stage.aggregation.to_string(), "dr_grpo (max_tokens 48)");
    assert_eq!(stage.kl, Some(KlEstimator::K3));
    assert_eq!(stage.kl_aggregation, Some(Choice::named("token_mean")));
}

#[test]
fn overrides_are_toml_or_a_word() {
    let recipe = parse(&[
        "stage.rl.aggregation=token_mean",
        "stage.sft.betas=[0.8, 0.9]",
        "model.tie_word_embeddings=false",
        "name=\"quoted\"",
        "data.arithmetic.max_value=9",
        "tracking.runs=/tmp/elsewhere",
        "stage.rl.0.steps=3",
    ])
    .unwrap();
    assert_eq!(rl(&recipe).aggregation, Choice::named("token_mean"));
    assert_eq!(rl(&recipe).steps, 3);
    assert!(matches!(&recipe.stages[0], Stage::Sft(stage) if stage.betas == (0.8, 0.9)));
    assert_eq!(recipe.name, "quoted");
    assert_eq!(recipe.tracking.runs, Path::new("/tmp/elsewhere"));
    assert!(matches!(&recipe.model, ModelSection::Shape(shape) if !shape.tie_word_embeddings));
}

#[test]
fn several_stages_of_a_kind_are_numbered() {
    let text = format!(
        "{MINIMAL}[[stage]]\nkind = \"sft\"\nsteps = 5\nbatch_size = 1\nlearning_rate = 1\n"
    );
    let set = |set: &str| Recipe::parse(&text, "r.toml", &[set.into()]);
    let recipe = set("stage.sft.1.steps=7").unwrap();
    let steps: Vec<u64> = recipe.stages.iter().map(Stage::steps).collect();
    assert_eq!(steps, [10, 10, 7]);
    assert_eq!(recipe.stage_key(2), "stage.sft.1");
    assert_eq!(recipe.stage_key(1), "stage.rl");
    let error = |argument| set(argument).unwrap_err().to_string();
    assert_eq!(
        error("stage.sft.steps=7"),
        "--set stage.sft.steps=7: several stages are of kind `sft`; name one: stage.sft.0, \
         stage.sft.1"
    );
    assert_eq!(
        error("stage.sft.2.steps=7"),
        "--set stage.sft.2.steps=7: there is no stage `stage.sft.2`; the recipe has 2 of kind \
         `sft`, counted from 0"
    );
    assert_eq!(
        error("stage.sft.1.steps=0"),
        "r.toml: stage.sft.1.steps: is 0; a stage has at least one step"
    );
}

#[test]
fn overrides_that_address_nothing() {
    for (argument, what) in [
        ("steps", "expected key=value, such as model.hidden_size=256"),
        (
            "model..steps=1",
            "expected key=value, such as model.hidden_size=256",
        ),
        (
            "stage.rl=1",
            "`stage.rl` is a whole stage; name one of its keys",
        ),
        ("stage=1", "name a stage: stage.sft, stage.rl"),
        (
            "data.task.kind=1",
            "`data.task` is not a table, it has no keys",
        ),
        (
            "stage.sfr.steps=1",
            "there is no stage of kind `sfr`, did you mean `sft`?; the stages are stage.sft, \
             stage.rl",
        ),
    ] {
        assert_eq!(error(&[argument]), format!("--set {argument}: {what}"));
    }
}

#[test]
fn unknown_keys() {
    assert_eq!(
        error_with("steps = 10\nprompts", "setps = 10\nprompts")
            .split_once(';')
            .unwrap()
            .0,
        "r.toml: unknown key `setps` in [stage.rl], did you mean `steps`?"
    );
    assert_eq!(
        error_with("[verifier]", "[verifer]"),
        "r.toml: unknown key `verifer` in [recipe], did you mean `verifier`?; the keys are name, \
         seed, model, engine, lora, data, sampler, verifier, reward_model, stage, tracking"
    );
    assert_eq!(
        error(&["sampler.temprature=0.7"]),
        "--set sampler.temprature=0.7: unknown key `temprature` in [sampler], did you mean \
         `temperature`?; the keys are temperature, top_k, top_p, min_p, max_new_tokens"
    );
    assert_eq!(
        error(&["data.arithmetic.styles.colums=1"]),
        "--set data.arithmetic.styles.colums=1: unknown key `colums` in [data.arithmetic.styles], \
         did you mean `columns`?; the keys are direct, steps, columns"
    );
    assert_eq!(
        error(&["tracking.wandb=true"]),
        "--set tracking.wandb=true: unknown key `wandb` in [tracking]; the keys are runs"
    );
    // A table where a word was meant is still the key that is unknown.
    assert_eq!(
        error(&["tracking.wandb.project=x"]),
        "--set tracking.wandb.project=x: unknown key `wandb` in [tracking]; the keys are runs"
    );
}

#[test]
fn unknown_values() {
    assert_eq!(
        error_with("kind = \"rl\"", "kind = \"ppo\""),
        "r.toml: stage[1].kind: unknown value \"ppo\"; the choices are sft, rl"
    );
}

#[test]
fn wrong_types() {
    assert_eq!(
        error_with("learning_rate = 1e-4", "learning_rate = \"abc\""),
        "r.toml: stage.rl.learning_rate: expected a number, found the string \"abc\""
    );
    for (argument, expected) in [
        (
            "model.hidden_size=-1",
            "model.hidden_size: expected a whole number that is not negative, found the number -1",
        ),
        (
            "model.hidden_size=1.5",
            "model.hidden_size: expected a whole number that is not negative, found the number 1.5",
        ),
        (
            "stage.rl.mask_truncated=yes",
            "stage.rl.mask_truncated: expected true or false, found the string \"yes\"",
        ),
        ("name=3", "name: expected a string, found the number 3"),
        ("sampler=3", "sampler: expected a table, found the number 3"),
        (
            "stage.sft.betas=[0.9]",
            "stage.sft.betas: expected a list of two numbers, found a list of 1",
        ),
        (
            "stage.sft.betas=0.9",
            "stage.sft.betas: expected a list of two numbers, found the number 0.9",
        ),
        (
            "data.arithmetic.operands=['a', 3]",
            "data.arithmetic.operands[0]: expected a whole number from 0 to 4294967295, found the \
             string \"a\"",
        ),
        (
            "tracking.runs=true",
            "tracking.runs: expected a string, found true",
        ),
        (
            "stage.rl.estimator=1",
            "stage.rl.estimator: expected a name, or a table of a name and options, found the number 1",
        ),
    ] {
        assert_eq!(error(&[argument]), format!("--set {argument}: {expected}"));
    }
    let no_stages = MINIMAL.split_once("[[stage]]").unwrap().0;
    let text = format!("stage = 3\n{no_stages}");
    assert_eq!(
        Recipe::parse(&text, "r.toml", &[]).unwrap_err().to_string(),
        "r.toml: stage: expected [[stage]] tables, found the number 3"
    );
}

#[test]
fn missing_keys() {
    for (line, key, table) in [
        ("name = \"minimal\"", "name", "recipe"),
        ("head_dim = 16", "head_dim", "model"),
        ("max_new_tokens = 48", "max_new_tokens", "sampler"),
        ("samples_per_prompt = 4", "samples_per_prompt", "stage.rl"),
        ("kind = \"rl\"", "kind", "stage[1]"),
    ] {
        assert_eq!(
            error_with(line, ""),
            format!("r.toml: the key `{key}` is missing in [{table}]")
        );
    }
    // Setting another key of a table does not make the override the culprit.
    assert_eq!(
        Recipe::parse(
            &MINIMAL.replace("[sampler]\nmax_new_tokens = 48", ""),
            "r.toml",
            &["sampler.temperature=1".into()]
        )
        .unwrap_err()
        .to_string(),
        "r.toml: the key `max_new_tokens` is missing in [sampler]"
    );
}

#[test]
fn files_and_syntax() {
    let dir = std::env::temp_dir().join("equipoise-no-such-directory");
    let path = dir.join("recipe.toml");
    assert_eq!(
        Recipe::load(&path, &[]).unwrap_err().to_string(),
        format!(
            "{}: cannot read the recipe: No such file or directory (os error 2)",
            path.display()
        )
    );
    assert_eq!(
        error_with("steps = 10\nbatch", "steps = = 10\nbatch"),
        "r.toml:19:9: not valid TOML: extra `=`, expected nothing\n    steps = = 10"
    );
    assert!(
        error_with("head_dim = 16", "head_dim = 16\nhead_dim = 16")
            .starts_with("r.toml:9:1: not valid TOML: duplicate key")
    );
}

#[test]
fn every_recipe_of_the_repository_loads() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let recipe = Recipe::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                Some(recipe.name.as_str()),
                path.file_stem().and_then(|stem| stem.to_str())
            );
            count += 1;
        }
    }
    assert!(count >= 3, "{count} recipes in {directory}");
}
