export default function client(primus) {
  primus.greeter = "two";
}
