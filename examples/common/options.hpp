#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <rewind/io/checkpoint.hpp>

namespace examples {

/// Ends the program before its work begins: code 0 after --help, 2 for options that make no sense.
struct Stop {
  int code;
  std::string text;
};

/// Accepts numbers from `low` to `high`; NaN is none of them.
CLI::Validator between(double low, double high);

/// The command line of an experiment.
///
/// Settings describe the task, the model and its training. A checkpoint holds them all, and --load
/// takes them from there, so that a loaded model is rebuilt and tested exactly as it was before it
/// was saved.
class CommandLine {
 public:
  std::uint64_t seed = 1;
  std::string save;
  std::string load;
  std::string plot;

  CommandLine(std::string name, const std::string& summary, const std::string& examples);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Adds the option --`name`, which sets `value`.
  template <class T>
  CLI::Option* setting(const std::string& name, T& value, const std::string& help) {
    CLI::Option* option = app_.add_option("--" + name, value, help);
    if constexpr (requires { value.reset(); }) {
      settings_.push_back({name, option, [&value] { return fmt::format("{}", value.value()); }});
    } else {
      option->capture_default_str();
      settings_.push_back({name, option, [&value] { return fmt::format("{}", value); }});
    }
    return option;
  }

  /// For options that say what to show; they are not saved.
  CLI::App& app() { return app_; }

  /// Reads the arguments and, after --load, the settings in that file. Makes the folder for plots.
  /// Throws Stop, or CheckpointError for a file that another program saved.
  void parse(int argc, const char* const* argv);

  /// All settings, to be saved beside a model. An optional setting must have got its value.
  rw::io::Attributes attributes() const;

 private:
  struct Setting {
    std::string name;
    CLI::Option* option;
    std::function<std::string()> text;
  };

  [[noreturn]] void refuse(const std::string& reason) const;
  void take_settings_from(const std::string& file);
  void check_outputs() const;

  std::string name_;
  CLI::App app_;
  std::vector<Setting> settings_;
};

/// For an experiment without options: throws Stop for any argument, with the help after --help.
void take_no_options(int argc, const char* const* argv, const std::string& summary);

/// Runs an experiment's `body` and turns what it throws into a message on standard error and an
/// exit code: 2 for wrong options, 1 for any other failure.
int guarded(const std::function<int()>& body);

}  // namespace examples
