public class Function
{
    public string Handle()
    {
        return "hello";
    }
}
