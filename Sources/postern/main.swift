import PosternServer

await Postern.main()
