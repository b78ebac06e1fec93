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

/// Ends the program before its work begins: code 0 after --help, 2 for options that make no sense.
struct Stop {
  int code;
  std::string text;
};

/// The command line of an experiment.
///
/// Settings describe the task, the model and its training. A checkpoint holds them all, and --load
/// and --resume take them from there, so that a model is rebuilt exactly as it was when it was
/// saved; only --resume lets the number of epochs be given anew. A function that adds an option
/// returns where its value stands: the default, until parse() finds another.
class CommandLine {
 public:
  std::uint64_t seed = 1;
  std::string save;
  std::string load;
  std::string plot;
  std::string checkpoint;  ///< folder in which a run saves itself
  bool resume = false;     ///< goes on from there

  CommandLine(std::string name, const std::string& summary, const std::string& examples);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// The setting --`name`: a whole number from `low` to `high`.
  const std::int64_t& integer(const std::string& name, std::int64_t value, const std::string& help,
                              double low, double high);
  /// One whose default follows from other settings: parse() asks for it.
  const std::int64_t& integer(const std::string& name, std::function<std::int64_t()> value,
                              const std::string& help, double low, double high);
  /// The setting --`name`: a number from `low` to `high`; NaN is none of them.
  const double& number(const std::string& name, double value, const std::string& help, double low,
                       double high);
  /// The setting --`name`: one of `words`.
  const std::string& choice(const std::string& name, const std::string& value,
                            const std::vector<std::string>& words, const std::string& help);

  /// --`name` and --no-`name`: what to show. It is not saved.
  const bool& flag(const std::string& name, bool value, const std::string& help);
  /// --`name` FILE: what to write beside the model. It is not saved.
  const std::string& output_file(const std::string& name, const std::string& help);

  /// Reads the arguments and, after --load or --resume, the settings in the file. Makes the folder
  /// for plots. Throws Stop, or CheckpointError for a file that another program saved.
  void parse(int argc, const char* const* argv);

  /// All settings, to be saved beside a model.
  rw::io::Attributes attributes() const;

  /// How to call the program again so that it goes on.
  std::string resume_command() const;

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
