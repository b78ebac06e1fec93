#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <rewind/io/checkpoint.hpp>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace examples {

/// Ends the program before its work begins: code 0 after --help, 2 for invalid options.
struct Stop {
  int code;
  std::string text;
};

/// The command line of an experiment.
///
/// Settings describe the task, the model and its training. A checkpoint holds them all, and --load
/// and --resume read them from there, so that the model is rebuilt exactly as it was saved. A
/// function that adds an option returns a reference to its value: the default, until parse() sets
/// another.
class CommandLine {
 public:
  std::uint64_t seed = 1;
  std::string save;
  std::string load;
  std::string plot;
  std::string checkpoint;  ///< folder in which a run saves itself
  bool resume = false;     ///< continue from there

  CommandLine(std::string name, const std::string& summary, const std::string& examples);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// The setting --`name`: an integer from `low` to `high`. "hidden" and "layers" are the units and
  /// the number of recurrent layers.
  const std::int64_t& integer(const std::string& name, std::int64_t value, const std::string& help,
                              double low, double high);
  /// The same with a default that depends on other settings: parse() calls `value`.
  const std::int64_t& integer(const std::string& name, std::function<std::int64_t()> value,
                              const std::string& help, double low, double high);
  /// The setting --`name`: a number from `low` to `high`, not NaN.
  const double& number(const std::string& name, double value, const std::string& help, double low,
                       double high);
  /// The setting --`name`: one of `words`.
  const std::string& choice(const std::string& name, const std::string& value,
                            const std::vector<std::string>& words, const std::string& help);

  /// --`name` and --no-`name`, for what to show. It is not saved.
  const bool& flag(const std::string& name, bool value, const std::string& help);
  /// --`name` FILE, for something to write beside the model. It is not saved.
  const std::string& output_file(const std::string& name, const std::string& help);

  /// Reads the arguments and, with --load or --resume, the settings in the file. Creates the folder
  /// for plots. Throws Stop, or CheckpointError for a file that another program saved.
  void parse(int argc, const char* const* argv);

  /// All settings, to save them beside a model.
  rw::io::Attributes attributes() const;

  /// The command line that resumes this run.
  std::string resume_command() const;
  /// Whether there is anything to resume from.
  bool has_checkpoints() const;

 private:
  struct Setting {
    std::string name;
    CLI::Option* option;
    std::function<std::string()> text;
    std::function<void()> choose_default;
  };

  template <class T>
  T& keep(T value);
  template <class T>
  Setting& add(const std::string& name, T& value, const std::string& help);
  [[noreturn]] void refuse(const std::string& reason) const;
  void check_combinations() const;
  std::string file_with_settings() const;
  void take_settings_from(const std::string& file);
  void check_size(const std::string& file) const;
  void check_outputs() const;

  std::string name_;
  std::unique_ptr<CLI::App> app_;  // its header takes as long to compile as an experiment
  std::vector<Setting> settings_;
  std::vector<std::shared_ptr<void>> values_;
};

/// For an experiment without options: throws Stop for any argument, with the help after --help.
void take_no_options(int argc, const char* const* argv, const std::string& summary);

/// Runs an experiment's `body` and turns what it throws into a message on standard error and an
/// exit code: 2 for wrong options, 1 for any other failure.
int guarded(const std::function<int()>& body);

}  // namespace examples
