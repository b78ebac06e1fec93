#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rewind/io/checkpoint.hpp>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace examples {

/// Ends the program before its work begins: code 0 after --help, 2 for options that make no sense.
struct Stop {
  int code;
  std::string text;
};

/// What an option may set.
template <class T>
concept OptionValue = std::same_as<T, std::string> || std::same_as<T, std::int64_t> ||
    std::same_as<T, std::uint64_t> || std::same_as<T, double> ||
    std::same_as<T, std::optional<std::int64_t>> || std::same_as<T, std::optional<double>>;

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

  /// An option that was added, to say what it accepts.
  class Option {
   public:
    /// Numbers from `low` to `high`; NaN is none of them.
    void between(double low, double high);
    /// One of `words`.
    void one_of(const std::vector<std::string>& words);

   private:
    friend CommandLine;
    explicit Option(CLI::Option* option) : option_(option) {}
    CLI::Option* option_;
  };

  CommandLine(std::string name, const std::string& summary, const std::string& examples);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Adds the option --`name`, which sets `value`.
  template <OptionValue T>
  Option setting(const std::string& name, T& value, const std::string& help);

  /// Adds --`name` and --no-`name`: what to show. It is not saved.
  void flag(const std::string& name, bool& value, const std::string& help);
  /// Adds --`name` FILE: what to write beside the model. It is not saved.
  void output_file(const std::string& name, std::string& value, const std::string& help);

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
  std::unique_ptr<CLI::App> app_;  // its header takes as long to compile as an experiment
  std::vector<Setting> settings_;
};

/// For an experiment without options: throws Stop for any argument, with the help after --help.
void take_no_options(int argc, const char* const* argv, const std::string& summary);

/// Runs an experiment's `body` and turns what it throws into a message on standard error and an
/// exit code: 2 for wrong options, 1 for any other failure.
int guarded(const std::function<int()>& body);

}  // namespace examples
