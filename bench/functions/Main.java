public class Main {
  public String handle() {
    return "hello";
  }
}
