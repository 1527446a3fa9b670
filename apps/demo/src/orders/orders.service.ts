import { Injectable, NotFoundException } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { NewOrder } from './new-order.js';
import { Order } from './order.entity.js';

@Injectable()
export class OrdersService {
  constructor(private readonly database: DataSource) {}

  newest(limit: number): Promise<Order[]> {
    return this.database.getRepository(Order).find({ order: { id: 'DESC' }, take: limit });
  }

  async byId(id: number): Promise<Order> {
    const order = await this.database.getRepository(Order).findOneBy({ id });
    if (!order) throw new NotFoundException(`There is no order ${id}`);
    return order;
  }

  create(order: NewOrder): Promise<Order> {
    return this.database.transaction((manager) =>
      manager.save(manager.create(Order, { ...order })),
    );
  }
}
