# frozen_string_literal: true

# The build's last step: is there an entry, and can it be compiled? Nothing of the code runs: ruby check.rb <folder> <entry>

require_relative "load"

folder, entry = ARGV
begin
  file, = Atelier::Shim::Loader.parse(folder, entry)
  RubyVM::InstructionSequence.compile(File.read(File.join(folder, file), encoding: "UTF-8"), file)
  puts "#{file}: syntax is right"
rescue LoadError, SyntaxError => e
  abort e.message
end
