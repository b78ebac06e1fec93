#include "common/options.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/printable.hpp>
#include <rewind/io/checkpoint_directory.hpp>

namespace examples {

namespace {

CLI::Validator between(double low, double high) {
  const std::string range = fmt::format("{} to {}", low, high);
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const bool good = CLI::detail::lexical_cast(text, value) && value >= low && value <= high;
        return good ? std::string() : fmt::format("got {}, expected a number from {}", text, range);
      },
      range);
}

}  // namespace

CommandLine::CommandLine(std::string name, const std::string& summary, const std::string& examples)
    : name_(std::move(name)), app_(std::make_unique<CLI::App>(summary, name_)) {
  app_->footer("Examples:\n" + examples);
  app_->add_option("--save", save, "Write the trained model and its settings to this HDF5 file")
      ->type_name("FILE");
  app_->add_option("--load", load, "Test the model in this file, with the settings saved there")
      ->type_name("FILE");
  app_->add_option("--plot", plot, "Draw PNG files into this folder, with gnuplot")
      ->type_name("DIR");
  app_->add_option("--checkpoint", checkpoint,
                   "Save the training run in this folder after every epoch and when interrupted")
      ->type_name("DIR");
  app_->add_flag("--resume", resume,
                 "Resume the run in the folder of --checkpoint, with the settings saved there");
  add("seed", seed, "Determines the weights, the training data and the test data")
      .option->capture_default_str()
      ->check(between(0, 9e18));
}

CommandLine::~CommandLine() = default;

/// Moves a value to an address that stays valid as long as this object.
template <class T>
T& CommandLine::keep(T value) {
  const auto kept = std::make_shared<T>(std::move(value));
  values_.push_back(kept);
  return *kept;
}

template <class T>
CommandLine::Setting& CommandLine::add(const std::string& name, T& value, const std::string& help) {
  CLI::Option* const option = app_->add_option("--" + name, value, help);
  return settings_.emplace_back(
      Setting{name, option, [&value] { return fmt::format("{}", value); }, {}});
}

const std::int64_t& CommandLine::integer(const std::string& name, std::int64_t value,
                                         const std::string& help, double low, double high) {
  std::int64_t& kept = keep(value);
  add(name, kept, help).option->capture_default_str()->check(between(low, high));
  return kept;
}

const std::int64_t& CommandLine::integer(const std::string& name,
                                         std::function<std::int64_t()> value,
                                         const std::string& help, double low, double high) {
  std::int64_t& kept = keep<std::int64_t>(0);
  Setting& setting = add(name, kept, help);
  setting.option->check(between(low, high));
  setting.choose_default = [&kept, value = std::move(value)] { kept = value(); };
  return kept;
}

const double& CommandLine::number(const std::string& name, double value, const std::string& help,
                                  double low, double high) {
  double& kept = keep(value);
  add(name, kept, help).option->capture_default_str()->check(between(low, high));
  return kept;
}

const std::string& CommandLine::choice(const std::string& name, const std::string& value,
                                       const std::vector<std::string>& words,
                                       const std::string& help) {
  std::string& kept = keep(value);
  add(name, kept, help).option->capture_default_str()->check(CLI::IsMember(words));
  return kept;
}

const bool& CommandLine::flag(const std::string& name, bool value, const std::string& help) {
  bool& kept = keep(value);
  app_->add_flag(fmt::format("--{0},!--no-{0}", name), kept, help);
  return kept;
}

const std::string& CommandLine::output_file(const std::string& name, const std::string& help) {
  std::string& kept = keep(std::string());
  app_->add_option("--" + name, kept, help)->type_name("FILE");
  return kept;
}

void CommandLine::refuse(const std::string& reason) const {
  throw Stop{2, fmt::format("{}: {}\nRun with --help for more information.\n", name_, reason)};
}

void CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      refuse(error.what());
    }
    std::ostringstream text;
    app_->exit(error, text);
    throw Stop{0, text.str()};
  }
  check_combinations();
  check_outputs();
  const std::string file = file_with_settings();
  if (!file.empty()) {
    take_settings_from(file);
  }
  for (const Setting& setting : settings_) {
    if (setting.choose_default && setting.option->count() == 0) {
      setting.choose_default();
    }
  }
}

namespace {

/// The checkpoints of a run, newest first, in a folder and those directly below it.
std::vector<std::string> checkpoints_in(const std::string& folder) {
  std::vector<std::string> paths;
  const auto append = [&](const std::string& path) {
    const std::vector<rw::io::Generation> all = rw::io::CheckpointDirectory(path).listed();
    for (auto each = all.rbegin(); each != all.rend(); ++each) {
      paths.push_back(each->path);
    }
  };
  append(folder);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) {
      append(entry.path());
    }
  }
  return paths;
}

}  // namespace

void CommandLine::check_combinations() const {
  for (const char* const option : {"--save", "--load", "--checkpoint", "--plot"}) {
    if (app_->count(option) > 0 && app_->get_option(option)->as<std::string>().empty()) {
      refuse(fmt::format("{}: the name is empty", option));
    }
  }
  if (!save.empty() && !load.empty()) {
    refuse("--save and --load exclude each other");
  }
  if (!checkpoint.empty() && !load.empty()) {
    refuse("--checkpoint and --load exclude each other: a loaded model is not trained");
  }
  if (resume && checkpoint.empty()) {
    refuse("--resume: name the folder of the run with --checkpoint");
  }
  if (load.empty() && !resume) {
    return;
  }
  const char* const option = resume ? "--resume" : "--load";
  for (const Setting& setting : settings_) {
    if (setting.option->count() > 0) {
      refuse(fmt::format("--{0}: {1} takes this from the file; leave out --{0}", setting.name,
                         option));
    }
  }
}

std::string CommandLine::file_with_settings() const {
  if (checkpoint.empty()) {
    return load;
  }
  const std::vector<std::string> there = checkpoints_in(checkpoint);
  if (::access(checkpoint.c_str(), W_OK) != 0) {
    refuse(fmt::format("--checkpoint: cannot write into the folder {}", checkpoint));
  }
  if (!resume) {
    if (!there.empty()) {
      refuse(
          fmt::format("--checkpoint: there is a run in {} already; add --resume to continue "
                      "it, or name another folder",
                      checkpoint));
    }
    return {};
  }
  if (there.empty()) {
    refuse(fmt::format("--resume: there is no checkpoint in {}; leave out --resume to begin",
                       checkpoint));
  }
  std::string newest_error;
  for (const std::string& path : there) {
    try {
      rw::io::read_attributes(path);
      return path;
    } catch (const rw::CheckpointError& error) {
      newest_error = newest_error.empty() ? error.what() : newest_error;
    }
  }
  throw rw::CheckpointError(
      fmt::format("--resume: none of the {} checkpoints in {} can be read; the newest: {}",
                  there.size(), checkpoint, rw::detail::printable(newest_error, 1000)));
}

void CommandLine::take_settings_from(const std::string& file) {
  rw::io::Attributes saved = rw::io::read_attributes(file);
  rw::check<rw::CheckpointError>(
      saved["experiment"] == name_,
      "{}: {} is not one of this program's checkpoints: its attribute \"experiment\" is \"{}\"",
      name_, file, rw::detail::printable(saved["experiment"]));
  // Checks the saved texts like those of a command line.
  std::vector<std::string> arguments;
  for (const Setting& setting : settings_) {
    const auto found = saved.find(setting.name);
    rw::check<rw::CheckpointError>(found != saved.end(), "{}: {} lacks the setting \"{}\"", name_,
                                   file, setting.name);
    arguments.push_back("--" + setting.name + "=" + found->second);
  }
  try {
    app_->parse(arguments);
  } catch (const CLI::ParseError& error) {
    throw rw::CheckpointError(
        fmt::format("{}: {}: {}", name_, file, rw::detail::printable(error.what(), 1000)));
  }
  check_size(file);
}

/// Refuses settings of a network far larger than what the file holds before it is built: each
/// recurrent layer has at least a square matrix.
void CommandLine::check_size(const std::string& file) const {
  const auto value_of = [&](const char* name) {
    const CLI::Option* const option = app_->get_option_no_throw(std::string("--") + name);
    return option == nullptr || option->count() == 0 ? 1 : option->as<std::int64_t>();
  };
  const std::int64_t hidden = value_of("hidden");
  const std::int64_t layers = value_of("layers");
  std::int64_t elements = 0;
  for (const rw::io::EntryInfo& entry : rw::io::list(file)) {
    elements += entry.shape.elements();
  }
  rw::check<rw::CheckpointError>(
      elements >= layers * hidden * hidden,
      "{}: {} is refused: its settings ask for recurrent layers of at least {} numbers, {} x {} "
      "units, but it holds {} numbers",
      name_, file, layers * hidden * hidden, layers, hidden, elements);
}

namespace {

/// Why no file can be written at `path`, to be appended to it; empty if one can.
std::string obstacle_at(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status present = fs::status(path, error);
  if (present.type() == fs::file_type::none) {
    return ": " + error.message();
  }
  if (fs::exists(present) && !fs::is_regular_file(present)) {
    return ", which is no file";
  }
  const fs::path folder = fs::absolute(path).parent_path();
  if (::access(folder.c_str(), W_OK) != 0) {
    return fmt::format(": {}: {}", folder.string(), std::strerror(errno));
  }
  return fs::path(path).filename().empty() ? ", which is no file" : "";
}

}  // namespace

void CommandLine::check_outputs() const {
  namespace fs = std::filesystem;
  if (const std::string obstacle = save.empty() ? "" : obstacle_at(save); !obstacle.empty()) {
    refuse(fmt::format("--save: cannot write {}{}", save, obstacle));
  }
  std::error_code error;
  if (!plot.empty() && !fs::is_directory(plot) && !fs::create_directories(plot, error)) {
    refuse(fmt::format("--plot: cannot make the folder {}: {}", plot, error.message()));
  }
}

namespace {

/// `text` as one word of a shell's command line.
std::string quoted(const std::string& text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) {
    return text;
  }
  std::string word = "'";
  for (const char c : text) {
    word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return word + "'";
}

}  // namespace

std::string CommandLine::resume_command() const {
  return fmt::format("examples/run {} --checkpoint={} --resume", name_,
                     quoted(rw::detail::printable(checkpoint, 10'000)));
}

bool CommandLine::has_checkpoints() const {
  return !checkpoint.empty() && !checkpoints_in(checkpoint).empty();
}

rw::io::Attributes CommandLine::attributes() const {
  rw::io::Attributes all{{"experiment", name_}};
  for (const Setting& setting : settings_) {
    all[setting.name] = setting.text();
  }
  return all;
}

void take_no_options(int argc, const char* const* argv, const std::string& summary) {
  CLI::App app(summary + "\nIt has no options: change the source.",
               std::filesystem::path(argv[0]).filename().string());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    throw Stop{code == 0 ? 0 : 2, text.str()};
  }
}

int guarded(const std::function<int()>& body) {
  try {
    return body();
  } catch (const Stop& stop) {
    std::fputs(stop.text.c_str(), stop.code == 0 ? stdout : stderr);
    return stop.code;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

}  // namespace examples
