// Trainings in processes that are killed at random moments.

#include "runs.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include <sys/time.h>
#include <unistd.h>

#include <rewind/rewind.hpp>

namespace faults {
namespace {

using namespace rw;

constexpr int steps_between_saves = 5;
/// Trainings with this number or above do not save their generator.
constexpr int forgetful = 1000;

template <class Rule>
std::unique_ptr<Optimizer> make(const ParameterList& list) {
  return std::make_unique<Rule>(list);
}
constexpr std::array optimizers = {make<Sgd>,     make<Adam>,     make<AdamW>,  make<RmsProp>,
                                   make<Adagrad>, make<Adadelta>, make<Adamax>, make<NAdam>,
                                   make<RAdam>,   make<Lamb>,     make<Asgd>};

constexpr std::int64_t length = 8;
constexpr std::int64_t batch = 4;
constexpr std::int64_t features = 3;
constexpr std::int64_t epochs = 25;

/// What all trainings have: two layers with dropout, their optimiser and averages.
class Training {
 public:
  Training(int number, const std::string& folder)
      : directory_(folder + "/run", {.keep_last = 2}),
        end_(folder + "/end.h5"),
        is_forgetful_(number >= forgetful),
        has_dropout_(number % 2 == 0 || is_forgetful_) {
    const auto& make_optimizer = optimizers[static_cast<std::size_t>(number) % optimizers.size()];
    optimizer = make_optimizer(parameters_);
    optimizer->set_schedule(warm_up(10) * cosine_decay(200));
  }

  /// Mean squared error of predicting the next value, and the state at the end.
  template <class State>
  std::pair<Tensor, State> loss(const Tensor& x, const Tensor& y, const State& state) {
    auto [h, next] = lstm(x, state, has_dropout_ ? OptionalRng(rng) : OptionalRng(std::nullopt));
    return {mse(head(h), y), std::move(next)};
  }
  Tensor loss(const Tensor& x) {
    const Tensor before = slice(x, 0, 0, length - 1);
    return loss(before, slice(x, 0, 1, length), lstm.initial_state(x.size(1))).first;
  }
  void step(const Tensor& loss, Tape& tape) {
    optimizer->zero_grad();
    tape.backward(loss);
    clip_by_norm(parameters_, 1.0);
    optimizer->step();
    update_averages();
  }
  void update_averages() {
    average_.update();
    lookahead_.update();
  }

  /// `more` is what this kind of training has besides: pairs of name and object.
  template <class... More>
  void save(More&&... more) {
    directory_.save("lstm", lstm, "head", head, "optimizer", *optimizer, "average", average_,
                    "lookahead", lookahead_, "rng", saved_generator(), more...);
  }
  template <class... More>
  void resume(More&&... more) {
    directory_.resume("lstm", lstm, "head", head, "optimizer", *optimizer, "average", average_,
                      "lookahead", lookahead_, "rng", saved_generator(), more...);
  }
  template <class... More>
  void finish(More&&... more) {
    io::save(end_, "lstm", lstm, "head", head, "optimizer", *optimizer, "average", average_,
             "lookahead", lookahead_, "rng", rng, more...);
  }

  Rng rng{7};
  LSTM lstm{{.input = features, .hidden = 6}, {.layers = 2, .dropout = 0.25}, rng};
  Linear head{{.input = 6, .output = features}, rng};
  std::unique_ptr<Optimizer> optimizer;

 private:
  Rng& saved_generator() { return is_forgetful_ ? other_ : rng; }

  io::CheckpointDirectory directory_;
  std::string end_;
  bool is_forgetful_;
  bool has_dropout_;
  Rng other_{8};
  ParameterList parameters_ = parameters("lstm", lstm, "head", head);
  ParameterAverage average_{parameters_};
  Lookahead lookahead_{parameters_, {.period = 3}};
};

Tensor waves(std::int64_t examples) {
  Rng rng(1);
  return rng.normal({length, examples, features});
}

void by_trainer(Training& training) {
  const Tensor data = waves(5 * batch);
  Minibatches batches(5 * batch, {.batch = batch}, 3);
  std::optional<Trainer> trainer;
  const auto save = [&] {
    training.save("trainer", *trainer, "batches", batches, "history", trainer->history());
  };
  trainer.emplace(*training.optimizer,
                  TrainerOptions{.epochs = epochs,
                                 .clip_norm = 1.0,
                                 .plateau = ReduceOnPlateauOptions{.patience = 2},
                                 .checkpoints = {.save = save, .every_steps = steps_between_saves},
                                 .output = nullptr});
  History history;
  training.resume("trainer", *trainer, "batches", batches, "history", history);
  trainer->set_history(std::move(history));
  trainer->fit(batches, [&](const Tensor& indices) {
    training.update_averages();  // of the previous step
    return training.loss(index_select(data, indices, 1));
  });
  training.finish("trainer", *trainer, "batches", batches, "history", trainer->history());
}

void by_hand(Training& training) {
  const Tensor data = waves(5 * batch);
  Minibatches batches(5 * batch, {.batch = batch}, 3);
  std::int64_t steps = 0;
  double sum = 0;
  training.resume("batches", batches, "steps", steps, "sum", sum);
  Autosave autosave({.save = [&] { training.save("batches", batches, "steps", steps, "sum", sum); },
                     .every_steps = steps_between_saves});
  while (batches.epoch() < epochs) {
    for (const Tensor& indices : batches) {
      Tape tape;
      const Tensor loss = training.loss(index_select(data, indices, 1));
      training.step(loss, tape);
      ++steps;
      sum += loss.item();
      autosave.after_step();
    }
  }
  training.finish("batches", batches, "steps", steps, "sum", sum);
}

void by_truncated_bptt(Training& training) {
  Rng rng(1);
  BpttBatches chunks(rng.normal({5 * batch * length + batch, features}),
                     {.batch = batch, .steps = length});
  auto state = training.lstm.initial_state(batch);
  training.resume("chunks", chunks, "state", state);
  Autosave autosave({.save = [&] { training.save("chunks", chunks, "state", state); },
                     .every_steps = steps_between_saves});
  while (chunks.epoch() < epochs) {
    for (const BpttBatch& chunk : chunks) {
      Tape tape;
      auto [loss, next] = training.loss(chunk.x, chunk.y, state);
      training.step(loss, tape);
      state = detach(next);
      autosave.after_step();
    }
  }
  training.finish("chunks", chunks, "state", state);
}

constexpr std::array kinds = {by_trainer, by_hand, by_truncated_bptt};

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A new process that trains. After `lifetime`, unless it is empty, the process is killed.
Ending train_in_new_process(int number, const std::string& folder,
                            std::optional<std::chrono::microseconds> lifetime) {
  const std::string text = std::to_string(number);
  return in_child([&] {
    if (lifetime) {
      itimerval timer = {};
      timer.it_value.tv_sec = lifetime->count() / 1'000'000;
      timer.it_value.tv_usec = lifetime->count() % 1'000'000;
      ::setitimer(ITIMER_REAL, &timer, nullptr);  // survives exec; unhandled SIGALRM kills
    }
    ::execl("/proc/self/exe", "faults", "--train", text.c_str(), folder.c_str(), nullptr);
    return 98;
  });
}

/// The result of a training.
struct End {
  std::string content;                 // empty if it leaves nothing
  std::chrono::microseconds duration;  // of the last process
};

/// Starts a training `kills` times in `folder` and kills each process at a random moment of
/// `duration`.
void train_and_kill(Count& count, int number, const Folder& folder, int kills,
                    std::chrono::microseconds duration, std::mt19937& random) {
  std::uniform_int_distribution<std::int64_t> moment(duration.count() / 10,
                                                     duration.count() * 7 / 10);
  for (int i = 0; i < kills; ++i) {
    Ending ending =
        train_in_new_process(number, folder.path, std::chrono::microseconds(moment(random)));
    if (ending.signal == SIGALRM) {
      ending.signal = 0;  // expected
    }
    count.add(ending);
  }
}

/// Trains to the end what is in `folder`.
End finish(Count& count, int number, const Folder& folder) {
  const auto start = std::chrono::steady_clock::now();
  count.add(train_in_new_process(number, folder.path, {}));
  const auto end = std::chrono::steady_clock::now();
  return {content_of(folder / "end.h5"),
          std::chrono::duration_cast<std::chrono::microseconds>(end - start)};
}

/// The end of a training that is killed on its way. Processes are not equally fast: where one has
/// ended before it was killed, or none has saved anything, begins again, sooner or later.
End end_of_killed(Count& count, int number, int kills, std::chrono::microseconds duration,
                  std::mt19937& random) {
  constexpr int attempts = 20;
  for (int attempt = 1;; ++attempt) {
    const Folder folder;
    train_and_kill(count, number, folder, kills, duration, random);
    const bool has_ended = std::filesystem::exists(folder / "end.h5");
    const bool was_saved = !io::CheckpointDirectory(folder / "run").empty();
    if ((!has_ended && was_saved) || attempt == attempts) {
      return finish(count, number, folder);
    }
    duration = has_ended ? duration * 4 / 5 : duration * 5 / 4;
  }
}

/// Runs the trainings from number `first` on, alone and killed `kills` times, and counts those as
/// lost whose ends are not equal, or are where they must not be.
Count compare_ends(int first, int trainings, int kills, bool must_be_equal) {
  Count count;
  std::mt19937 random(1);
  for (int number = first; number < first + trainings; ++number) {
    const End whole = finish(count, number, Folder());
    const End killed = end_of_killed(count, number, kills, whole.duration, random);
    const bool is_equal = killed.content == whole.content;
    count.lost += whole.content.empty() || is_equal != must_be_equal ? 1 : 0;
  }
  return count;
}

}  // namespace

int train(int number, const std::string& folder) {
  Training training(number, folder);
  kinds[static_cast<std::size_t>(number) % kinds.size()](training);
  return 0;
}

Count killed_runs(int trainings, int kills) { return compare_ends(0, trainings, kills, true); }

Count forgetful_runs(int trainings) { return compare_ends(forgetful, trainings, 4, false); }

}  // namespace faults
